import type { ReadQuery } from '@tocsin/contracts';
import { createLogger } from '@tocsin/platform';
import { type RecordedEvent, typeMatches } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { LiveTail, type TailStep } from './live-tail.js';

const logger = createLogger({ name: 'test', level: 'silent' });

class MemoryLog {
  readonly events: RecordedEvent[] = [];
  reads = 0;
  failures = 0;

  add(count: number, type = 'com.acme.a'): void {
    for (let index = 0; index < count; index += 1) {
      const position = this.events.length + 1;
      const time = '2030-01-01T00:00:00.000Z';
      this.events.push({
        id: `e${position}`,
        source: 's',
        type,
        subject: 'x',
        time,
        position,
        version: position,
        recordedAt: time,
        extensions: {},
      });
    }
  }

  async head(): Promise<number> {
    return this.events.length;
  }

  async read({ after = 0, limit, types }: ReadQuery) {
    this.reads += 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('connection lost');
    }
    const head = this.events.length;
    const matching = this.events
      .slice(after)
      .filter(({ type }) => types === undefined || types.some((pattern) => typeMatches(pattern, type)));
    const events = matching.slice(0, limit);
    const next = matching.length > limit ? events.at(-1)!.position : Math.max(head, after);
    return { events, next, head };
  }
}

/** Reads steps until `count` events were seen; returns their positions. */
async function take(steps: AsyncGenerator<TailStep, void, undefined>, count: number): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < count) {
    const step = await steps.next();
    if (step.done === true) break;
    seen.push(...step.value.events.map(({ event }) => event.position));
  }
  return seen;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

function setUp(initial = 0, standing: Promise<void> = Promise.resolve()) {
  const log = new MemoryLog();
  log.add(initial);
  const heard = new Set<() => void>();
  const tail = new LiveTail({
    store: log,
    notifications: async (onCommit) => {
      await standing;
      heard.add(onCommit);
      return { close: async () => void heard.delete(onCommit) };
    },
    logger,
  });
  const commit = (count: number, type?: string): void => {
    log.add(count, type);
    for (const onCommit of heard) onCommit();
  };
  const stop = new AbortController();
  const follow = (after: number, types?: string[], idleMs = 5_000): AsyncGenerator<TailStep, void, undefined> =>
    tail.follow({ after, types, idleMs, signal: stop.signal });
  return { log, tail, stop, follow, commit, heard };
}

describe('LiveTail', () => {
  it('gives what is there and what comes, in order, without gap or repetition', async () => {
    const { stop, follow, commit } = setUp(450);
    const steps = follow(100);
    const seen = await take(steps, 350);
    for (let round = 0; round < 20; round += 1) {
      commit(7);
      seen.push(...(await take(steps, 7)));
    }
    expect(seen).toEqual(range(101, 590));
    stop.abort();
    expect((await steps.next()).done).toBe(true);
  });

  it('feeds many readers at the head from one read a commit', async () => {
    const { log, stop, follow, commit } = setUp(10);
    const readers = Array.from({ length: 50 }, () => follow(10));
    const pending = readers.map((reader) => take(reader, 100));
    for (let round = 0; round < 100; round += 1) {
      commit(1);
      await new Promise(setImmediate);
    }
    for (const seen of await Promise.all(pending)) expect(seen).toEqual(range(11, 110));
    // One pump (two reads at most for each commit), not one read per reader and commit.
    expect(log.reads).toBeLessThan(50 + 2 * 100 + 50);
    stop.abort();
    await Promise.all(readers.map((reader) => reader.return()));
  });

  it('lets a reader that sleeps through more than memory holds catch up from the log', async () => {
    const { stop, follow, commit } = setUp(1);
    const slow = follow(0);
    expect(await take(slow, 1)).toEqual([1]);
    const quick = follow(1);
    const others = take(quick, 9_000);
    commit(9_000);
    await others;
    expect(await take(slow, 9_000)).toEqual(range(2, 9_001));
    stop.abort();
  });

  it('filters alike from the log and from memory, and tells how far it has looked', async () => {
    const { log, stop, follow, commit } = setUp();
    log.add(30);
    log.add(1, 'com.other.b');
    const steps = follow(0, ['com.other.*']);
    expect(await take(steps, 1)).toEqual([31]);
    log.add(5);
    commit(1, 'com.other.b');
    expect(await take(steps, 1)).toEqual([37]);
    commit(4);
    const step = await steps.next();
    expect(step.value).toEqual({ events: [], position: 41 });
    stop.abort();
  });

  it('gives a step at least every idleMs', async () => {
    const { stop, follow } = setUp(3);
    const steps = follow(3, undefined, 30);
    await steps.next();
    expect((await steps.next()).value).toEqual({ events: [], position: 3 });
    stop.abort();
  });

  it('survives failures of the log while at the head, and picks up what was committed meanwhile', async () => {
    const { log, stop, follow, commit } = setUp(2);
    const steps = follow(2);
    await steps.next();
    log.failures = 1;
    commit(3);
    expect(await take(steps, 3)).toEqual([3, 4, 5]);
    stop.abort();
  });

  it('starts afresh after all readers were gone', async () => {
    const { log, tail, stop, follow } = setUp(5);
    const first = follow(0);
    await take(first, 5);
    await first.return();
    expect(tail.followers).toBe(0);
    log.add(500);
    const second = follow(3);
    expect(await take(second, 502)).toEqual(range(4, 505));
    stop.abort();
  });

  it('is told of commits only while somebody follows', async () => {
    const { tail, stop, follow, commit, heard } = setUp(5);
    expect(heard.size).toBe(0);
    const both = [follow(5), follow(5)];
    const seen = both.map((steps) => take(steps, 1));
    await expect.poll(() => heard.size).toBe(1);
    commit(1);
    expect(await Promise.all(seen)).toEqual([[6], [6]]);
    await both[0]?.return();
    expect(heard.size).toBe(1);
    await both[1]?.return();
    expect(heard.size).toBe(0);
    const third = follow(6);
    const more = take(third, 1);
    await expect.poll(() => heard.size).toBe(1);
    commit(1);
    expect(await more).toEqual([7]);
    stop.abort();
    await tail.close();
    expect(heard.size).toBe(0);
  });

  it('does not wait for the next poll with what was committed before notifications stood', async () => {
    const standing = Promise.withResolvers<void>();
    const { log, stop, follow } = setUp(5, standing.promise);
    const steps = follow(5);
    const seen = take(steps, 3);
    // The pump has looked, and found nothing.
    await expect.poll(() => log.reads).toBeGreaterThan(1);
    log.add(3);
    const startedMs = performance.now();
    standing.resolve();
    expect(await seen).toEqual([6, 7, 8]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    stop.abort();
  });
});
