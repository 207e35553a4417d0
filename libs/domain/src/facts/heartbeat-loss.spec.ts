import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Overlay } from '../health/suppression.js';
import { lossNews, type LossNews, type LossStanding } from './heartbeat-loss.js';

const SUBJECT = 'node/edge-1';
const nothing: LossStanding = { lost: false, told: false };
const say = (standing: LossStanding, lost: boolean, overlays: readonly Overlay[] = []) =>
  lossNews(SUBJECT, standing, { lost, sinceMs: 1_000, overlays });

describe('the loss of a heartbeat', () => {
  it('is told once, and its end once, in one episode', () => {
    const lost = say(nothing, true);
    expect(lost.news).toMatchObject([{ fact: 'heartbeat-lost' }]);
    expect(say(lost.standing, true).news).toEqual([]);
    const resumed = say(lost.standing, false);
    expect(resumed.news).toMatchObject([{ fact: 'heartbeat-resumed', episode: lost.news[0]?.episode }]);
    expect(say(resumed.standing, false)).toEqual({ news: [], standing: nothing });
  });

  it('is stored in maintenance, and told after it if it is still so', () => {
    const kept = say(nothing, true, ['maintenance']);
    expect(kept.news).toMatchObject([{ withheld: { because: ['maintenance'], told: false } }]);
    expect(say(kept.standing, true, ['maintenance']).news).toEqual([]);
    const due = say(kept.standing, true);
    expect(due.news).toEqual([{ fact: 'heartbeat-lost', episode: kept.news[0]?.episode, reconciles: true }]);
  });

  it('is nobody’s news where it was over before anybody was told', () => {
    const kept = say(nothing, true, ['maintenance']);
    expect(say(kept.standing, false).news).toMatchObject([{ fact: 'heartbeat-resumed', withheld: { told: false } }]);
  });

  it('for any course of things: what is told takes turns, and in the end it is what is so', () => {
    const course = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 30 });
    fc.assert(
      fc.property(course, fc.boolean(), (steps, last) => {
        let standing = nothing;
        const told: LossNews['fact'][] = [];
        for (const [lost, covered] of [...steps, [last, false] as const]) {
          const decision = say(standing, lost, covered ? ['maintenance'] : []);
          standing = decision.standing;
          for (const news of decision.news) if (news.withheld === undefined) told.push(news.fact);
        }
        expect(told.every((fact, index) => fact === (index % 2 === 0 ? 'heartbeat-lost' : 'heartbeat-resumed'))).toBe(
          true,
        );
        expect(told.length % 2 === 1).toBe(last);
      }),
    );
  });
});
