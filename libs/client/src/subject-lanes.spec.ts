import type { RecordedEvent } from '@tocsin/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubjectLanes } from './subject-lanes.js';

const eventAt = (position: number, subject: string): RecordedEvent => ({
  id: `evt_${position}`,
  source: 'urn:test',
  type: 'com.acme.test',
  subject,
  time: '2026-05-01T10:00:00.000Z',
  position,
  version: position,
  recordedAt: '2026-05-01T10:00:00.000Z',
  extensions: {},
});

interface Made {
  lanes: SubjectLanes;
  done: RecordedEvent[];
  failures: [position: number, attempt: number][];
}

function make(concurrency: number, handle: (event: RecordedEvent, attempt: number) => Promise<void>): Made {
  const done: RecordedEvent[] = [];
  const failures: [number, number][] = [];
  const lanes = new SubjectLanes({
    concurrency,
    handle: (event, { attempt }) => handle(event, attempt),
    mayBegin: () => true,
    onDone: (event) => void done.push(event),
    onFailure: (_error, event, attempt) => void failures.push([event.position, attempt]),
    signal: new AbortController().signal,
    random: () => 0,
  });
  return { lanes, done, failures };
}

describe('lanes', () => {
  it('keep the order of every subject, and run no more handlers than they may, whatever takes how long', async () => {
    const subjects = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        subjects,
        fc.integer({ min: 1, max: 4 }),
        async (scheduler, names, concurrency) => {
          let running = 0;
          let most = 0;
          const busy = new Set<string>();
          const { lanes, done } = make(concurrency, async (event) => {
            expect(busy.has(event.subject)).toBe(false);
            busy.add(event.subject);
            most = Math.max(most, (running += 1));
            await scheduler.schedule(Promise.resolve());
            running -= 1;
            busy.delete(event.subject);
          });
          for (const [index, name] of names.entries()) lanes.push(eventAt(index + 1, name));
          await scheduler.waitIdle();
          await lanes.stop();
          expect(done).toHaveLength(names.length);
          expect(most).toBeLessThanOrEqual(concurrency);
          for (const name of new Set(names)) {
            const positions = done.filter(({ subject }) => subject === name).map(({ position }) => position);
            expect(positions).toEqual(positions.toSorted((one, other) => one - other));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('hold back only the subject whose handler fails, and try again in order', async () => {
    const over = Promise.withResolvers<void>();
    const { lanes, done, failures } = make(1, (event, attempt) => {
      if (event.position === 1 && attempt < 3) return Promise.reject(new Error('not now'));
      if (event.position === 2) over.resolve();
      return Promise.resolve();
    });
    lanes.push(eventAt(1, 'a'));
    lanes.push(eventAt(2, 'a'));
    lanes.push(eventAt(3, 'b'));
    await over.promise;
    await lanes.stop();
    expect(done.map(({ position }) => position)).toEqual([3, 1, 2]);
    expect(failures).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  it('begin nothing after they are stopped', async () => {
    const first = Promise.withResolvers<void>();
    const { lanes, done } = make(1, () => first.promise);
    lanes.push(eventAt(1, 'a'));
    lanes.push(eventAt(2, 'b'));
    const stopped = lanes.stop();
    first.resolve();
    await stopped;
    expect(done.map(({ position }) => position)).toEqual([1]);
  });
});
