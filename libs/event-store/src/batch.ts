import type { PreparedAppend } from './prepared-append.js';

/** How much one transaction takes. An append that is larger by itself goes alone. */
export interface BatchLimits {
  maxEvents: number;
  maxBytes: number;
}

/**
 * Takes the appends of the next batch from the front of the queue; what stays keeps its order.
 *
 * Within a batch no append's fate may depend on another's. So one waits for the next batch if it repeats a key of this one, or if one
 * of the two expects a version of a subject that the other writes or expects. Whatever shares a key or a subject with a waiting append
 * waits behind it: appends of one subject are recorded in the order in which they came.
 */
export function takeBatch<Entry extends { append: PreparedAppend }>(queue: Entry[], limits: BatchLimits): Entry[] {
  const batch: Entry[] = [];
  const waiting: Entry[] = [];
  const keys = new Set<string>();
  const subjects = new Set<string>();
  const expected = new Set<string>();
  const behind = new Set<string>();
  let events = 0;
  let bytes = 0;
  let seen = 0;
  // Looking far beyond what fits would cost more than it brings when many appends wait for the same subject.
  const horizon = Math.min(queue.length, 4 * limits.maxEvents);
  for (; seen < horizon; seen += 1) {
    const entry = queue[seen];
    if (entry === undefined) break;
    const { append } = entry;
    const full = events + append.events.length > limits.maxEvents || bytes + append.bytes > limits.maxBytes;
    if (full && batch.length > 0) break;
    if (mustWait(append)) {
      waiting.push(entry);
      for (const event of append.events) behind.add(event.key).add(event.subject);
      for (const { subject } of append.expect) behind.add(subject);
      continue;
    }
    batch.push(entry);
    events += append.events.length;
    bytes += append.bytes;
    for (const event of append.events) {
      keys.add(event.key);
      subjects.add(event.subject);
    }
    for (const { subject } of append.expect) {
      subjects.add(subject);
      expected.add(subject);
    }
  }
  queue.splice(0, seen, ...waiting);
  return batch;

  function mustWait(append: PreparedAppend): boolean {
    return (
      append.events.some(
        ({ key, subject }) => keys.has(key) || expected.has(subject) || behind.has(key) || behind.has(subject),
      ) || append.expect.some(({ subject }) => subjects.has(subject) || behind.has(subject))
    );
  }
}
