import { context, propagation, type Context } from '@opentelemetry/api';
import { headers, type MsgHdrs } from '@nats-io/transport-node';

/** Message headers that carry the active trace context; undefined where there is none to carry. */
export function traceHeaders(): MsgHdrs | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const names = Object.entries(carrier);
  if (names.length === 0) return undefined;
  const out = headers();
  for (const [name, value] of names) out.set(name, value);
  return out;
}

/** The trace context a message came with, over the active one. */
export function contextOf(from: MsgHdrs | undefined): Context {
  if (from === undefined) return context.active();
  return propagation.extract(context.active(), from, {
    get: (carrier, name) => {
      const value = carrier.get(name);
      return value === '' ? undefined : value;
    },
    keys: (carrier) => carrier.keys(),
  });
}
