import type { activeSpanContext } from '@tocsin/tracing';
import { inSpan } from '@tocsin/tracing';
import type { PreparedAppend } from './prepared-append.js';

/** One append of a batch, and the span it came in. */
export interface TracedAppend {
  append: PreparedAppend;
  span: ReturnType<typeof activeSpanContext>;
}

/** Runs the transaction of a batch within a span: a part of the first append that is traced, and linked to the others. */
export function inCommitSpan<T>(batch: readonly TracedAppend[], work: () => Promise<T>): Promise<T> {
  const [parent, ...links] = batch.map(({ span }) => span).filter((span) => span !== undefined);
  if (parent === undefined) return work();
  const attributes = {
    'tocsin.batch.appends': batch.length,
    'tocsin.batch.events': batch.reduce((sum, { append }) => sum + append.events.length, 0),
  };
  return inSpan('commit', { parent, links, attributes }, work);
}
