import { describe, expect, it } from 'vitest';
import type { RememberedDurable } from './durable-table.js';
import { planMirror } from './mirror-plan.js';

const OLD = '2026-05-01T10:00:00Z';
const NEW = '2026-05-02T10:00:00Z';
const durable = (name: string, acked: number, streamCreatedAt = OLD): RememberedDurable => ({
  name,
  acked,
  streamCreatedAt,
  config: { durable_name: name, max_ack_pending: 1000 },
});
const live = ({ name, acked, config }: RememberedDurable) => ({ name, acked, config });

describe('what becomes of durables', () => {
  it('remembers those that are new and those that have moved on, and leaves the others alone', () => {
    const [a, b, c] = [durable('a', 5), durable('b', 7), durable('c', 1)];
    expect(planMirror([a, b], [live(a), live({ ...b, acked: 9 }), live(c)], OLD)).toEqual({
      restore: [],
      save: [{ ...b, acked: 9 }, c],
      missing: [],
    });
  });

  it('restores what was lost with the stream, where it had acknowledged', () => {
    expect(planMirror([durable('a', 5)], [], NEW)).toEqual({ restore: [durable('a', 5)], save: [], missing: [] });
  });

  it('takes a durable that its own consumer has made again as that has made it', () => {
    const again = durable('a', 3, NEW);
    expect(planMirror([durable('a', 5)], [live(again)], NEW)).toEqual({ restore: [], save: [again], missing: [] });
  });

  it('does not bring back what is missing from the stream it was seen in', () => {
    expect(planMirror([durable('a', 5)], [], OLD)).toEqual({ restore: [], save: [], missing: ['a'] });
  });
});
