import type { ApplyStep } from './plan-apply.js';

/** Events one append takes. */
const MOST_EVENTS = 1_000;
/** A NATS message holds 1 MiB by default; envelope, ids and times of the events must fit beside their data. */
const MOST_BYTES = 600 * 1024;
/** Of an event beside its subject and data: id, source, type, time, expected version. */
const ENVELOPE_BYTES = 300;

/** Cuts steps into runs that fit into one append each, in order. */
export function inChunks(steps: readonly ApplyStep[]): ApplyStep[][] {
  const chunks: ApplyStep[][] = [];
  let chunk: ApplyStep[] = [];
  let bytes = 0;
  for (const step of steps) {
    const size = ENVELOPE_BYTES + Buffer.byteLength(JSON.stringify(step.declaration ?? {}));
    if (chunk.length > 0 && (chunk.length === MOST_EVENTS || bytes + size > MOST_BYTES)) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(step);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}
