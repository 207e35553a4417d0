import { targetSpecSchema } from '@tocsin/contracts';
import { TocsinError, type HealthPhase } from '@tocsin/domain';
import { createLogger } from '@tocsin/platform';
import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { Target } from '../targets/target.js';
import { SuspectCount, type SuspectCountDeps } from './suspect-count.js';

type Handler = (payload: unknown) => Promise<unknown>;

const TCP = { type: 'tcp', host: '127.0.0.1', port: 1, interval: '10s' };

function target(name: string, phase: HealthPhase, site = 'fra', check: object = TCP): Target {
  const spec = targetSpecSchema.parse({ kind: 'node', labels: { site }, check });
  const made = new Target({ name, revision: 1, spec }, 0);
  made.health = { ...made.health, phase };
  return made;
}

/** Observers that hear each other, all but those that do not answer. */
function observers(own: Record<string, Target[]>, silent: string[] = [], busy?: string) {
  const clock = new FakeClock();
  clock.advance(1_000);
  const served = new Map<string, Handler>();
  const probed: [string, number][] = [];
  const broker = {
    serve: (subject: string, { handle }: { handle: Handler }) => {
      served.set(subject, handle);
      return { ready: Promise.resolve(), close: () => Promise.resolve() };
    },
    request: (subject: string, payload: unknown) =>
      (busy !== undefined && subject.endsWith(busy)
        ? Promise.reject(new TocsinError('TCN_TIMEOUT', `no answer on ${subject}`))
        : undefined) ??
      served.get(subject)?.(payload) ??
      Promise.reject(new TocsinError('TCN_UNAVAILABLE', `nobody on ${subject}`)),
  } as unknown as SuspectCountDeps['broker'];
  const counts = Object.entries(own).map(([observer, targets]) => {
    const count = new SuspectCount({
      ...{ observer, broker, clock, logger: createLogger({ name: 'spec', level: 'silent' }) },
      seats: () => [...Object.keys(own), ...silent].map((id) => ({ id, site: 'fra' })),
      own: () => targets,
      probeIn: ({ name }, delayMs) => probed.push([name, delayMs]),
    });
    count.start();
    return count;
  });
  return { count: counts[0] as SuspectCount, probed, clock };
}

describe('the suspects of a group', () => {
  it('are counted over all observers that answer', async () => {
    const { count, probed } = observers(
      {
        'fra-1': [target('a', 'suspect'), target('b', 'up'), target('c', 'down')],
        'fra-2': [target('d', 'suspect'), target('e', 'suspect'), target('f', 'suspect', 'ams')],
      },
      ['fra-3'],
    );
    expect(await count.count('site=fra')).toBe(3);
    expect(probed).toEqual([]);
  });

  it('are looked for among those that are up and are asked for their health, within a second', async () => {
    const heartbeat = { type: 'heartbeat', interval: '10s' };
    const { count, probed } = observers({
      'fra-1': [target('a', 'up'), target('b', 'suspect'), target('c', 'down'), target('d', 'up', 'ams')],
      'fra-2': [target('e', 'up'), target('f', 'stale'), target('g', 'up', 'fra', heartbeat)],
    });
    await count.look('site=fra');
    expect(probed.map(([name]) => name)).toEqual(['a', 'e']);
    for (const [, delayMs] of probed) expect(delayMs).toBeLessThan(1_000);
  });

  it('are all of whom nothing has been heard since the look, for fifteen seconds', async () => {
    const [heard, unheard] = [target('a', 'up'), target('b', 'up')];
    const { count, clock } = observers({ 'fra-1': [heard, unheard] });
    expect(await count.count('site=fra')).toBe(0);
    await count.look('site=fra');
    expect(await count.count('site=fra')).toBe(2);
    clock.advance(1_000);
    heard.heardMs = clock.monotonicMs();
    expect(await count.count('site=fra')).toBe(1);
    clock.advance(14_000);
    expect(await count.count('site=fra')).toBe(0);
  });

  it('may be any number while an observer is too busy to answer', async () => {
    const { count } = observers({ 'fra-1': [target('a', 'suspect')] }, ['fra-2'], 'fra-2');
    expect(await count.count('site=fra')).toBe(Number.POSITIVE_INFINITY);
  });
});
