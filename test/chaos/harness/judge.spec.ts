import { describe, expect, it } from 'vitest';
import { type Arrival, judge, type Kill } from './judge.js';

const OFF = { subject: 'node/a', says: 'offline' };
const ON = { subject: 'node/a', says: 'online' };

/** A request that was taken at `beganMs` and answered at once. */
function taken(event: typeof OFF, position: number, beganMs: number, over: Partial<Arrival> = {}): Arrival {
  const own = { id: `evt_${position}`, position, beganMs, endedMs: beganMs + 10, accepted: true, signed: true };
  return { ...event, ...own, ...over };
}

/** A kill at a moment, with a second before it for the ledger. */
const killAt = (atMs: number): Kill => ({ what: 'kill -9', atMs, fromMs: atMs - 1_000, untilMs: atMs });

const judged = (must: (typeof OFF)[], arrivals: Arrival[], kills: Kill[] = []) =>
  judge({ subscriber: 's', must, arrivals }, kills);

describe('the judge of what a receiver saw', () => {
  it('finds nothing where everything came once and in order', () => {
    const judgement = judged([OFF, ON], [taken(OFF, 1, 0), taken(ON, 2, 100)]);
    expect(judgement).toMatchObject({ must: 2, received: 2, refused: 0, duplicates: 0, order: 'kept', breaches: [] });
  });

  it('finds a recovery that never came', () => {
    expect(judged([OFF, ON], [taken(OFF, 1, 0)]).breaches).toEqual([
      's: node/a had to be told [offline, online] and was told [offline]',
    ]);
  });

  it('finds an alarm nobody caused', () => {
    expect(judged([], [taken(OFF, 1, 0)]).breaches).toHaveLength(1);
  });

  it('finds a recovery before its outage', () => {
    const judgement = judged([OFF, ON], [taken(ON, 2, 0), taken(OFF, 1, 100)]);
    expect(judgement.order).toBe('broken');
    expect(judgement.breaches).toHaveLength(2);
  });

  it('finds the same outage told as two events', () => {
    expect(judged([OFF], [taken(OFF, 1, 0), taken(OFF, 2, 100)]).breaches).toHaveLength(1);
  });

  it('counts what was refused, and does not take it for told', () => {
    const refused = taken(OFF, 1, 0, { accepted: false });
    expect(judged([OFF], [refused, taken(OFF, 1, 100)])).toMatchObject({ received: 1, refused: 1, breaches: [] });
    expect(judged([OFF], [refused]).breaches).toHaveLength(1);
  });

  it('takes a repeat of what was in flight at a kill', () => {
    const slow = taken(OFF, 1, 4_000, { endedMs: 7_000 });
    const judgement = judged([OFF], [slow, taken(OFF, 1, 8_000)], [killAt(5_000)]);
    expect(judgement).toMatchObject({ duplicates: 1, inFlightAtKills: 1, answeredBeforeMs: 0, breaches: [] });
  });

  it('tells how long a repeated one had been answered when the kill came', () => {
    const kill = { ...killAt(5_000), fromMs: 4_500 };
    const judgement = judged([OFF], [taken(OFF, 1, 4_000, { endedMs: 4_800 }), taken(OFF, 1, 8_000)], [kill]);
    expect(judgement).toMatchObject({ duplicates: 1, answeredBeforeMs: 200, breaches: [] });
  });

  it.each([
    ['without a kill', []],
    ['of what was answered long before the kill', [killAt(5_000)]],
    ['of what began after the kill', [killAt(-5_000)]],
  ])('finds a repeat %s', (_what, kills) => {
    const { breaches } = judged([OFF], [taken(OFF, 1, 0), taken(OFF, 1, 8_000)], kills);
    expect(breaches).toContainEqual(expect.stringContaining('without having been in flight at a kill'));
  });

  it('finds a third time after one kill', () => {
    const slow = taken(OFF, 1, 4_000, { endedMs: 7_000 });
    const { breaches } = judged([OFF], [slow, taken(OFF, 1, 8_000), taken(OFF, 1, 9_000)], [killAt(5_000)]);
    expect(breaches).toHaveLength(2);
  });

  it('finds a signature that does not verify', () => {
    expect(judged([OFF], [taken(OFF, 1, 0, { signed: false })]).breaches).toHaveLength(1);
  });
});
