import { context, propagation, type TextMapPropagator, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

const MARK = Symbol('trace mark');

const propagator: TextMapPropagator = {
  inject: (active, carrier, setter) => {
    const mark = active.getValue(MARK);
    if (typeof mark === 'string') setter.set(carrier, 'traceparent', mark);
  },
  extract: (active, carrier, getter) => {
    const mark = getter.get(carrier, 'traceparent');
    return typeof mark === 'string' ? active.setValue(MARK, mark) : active;
  },
  fields: () => ['traceparent'],
};

/** From now on a mark of the caller travels as trace context. Returns what ends that. */
export function carryMarks(): () => void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(propagator);
  return () => {
    context.disable();
    propagation.disable();
    trace.disable();
  };
}

/** Does `work` under a mark. */
export function marked<T>(mark: string, work: () => T): T {
  return context.with(context.active().setValue(MARK, mark), work);
}

/** The mark that came here. */
export function markHere(): unknown {
  return context.active().getValue(MARK);
}
