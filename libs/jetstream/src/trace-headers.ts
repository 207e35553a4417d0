import { context, propagation, type Context } from '@opentelemetry/api';
import { headers, type MsgHdrs } from '@nats-io/transport-node';

/** A trace context, by the names of the headers that carry it. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** The active trace context; undefined where there is none to carry. */
export function traceCarrier(): TraceCarrier | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return Object.keys(carrier).length === 0 ? undefined : carrier;
}

/** The same as message headers. */
export function traceHeaders(carrier: TraceCarrier | undefined): MsgHdrs | undefined {
  if (carrier === undefined) return undefined;
  const out = headers();
  for (const [name, value] of Object.entries(carrier)) out.set(name, value);
  return out;
}

/** The trace context of a carrier, over the active one. */
export function contextOf(from: TraceCarrier | undefined): Context {
  return from === undefined ? context.active() : propagation.extract(context.active(), from);
}

/** The trace context a message came with, over the active one. */
export function contextOfHeaders(from: MsgHdrs | undefined): Context {
  if (from === undefined) return context.active();
  return propagation.extract(context.active(), from, {
    get: (carrier, name) => {
      const value = carrier.get(name);
      return value === '' ? undefined : value;
    },
    keys: (carrier) => carrier.keys(),
  });
}
