import { describe, expect, it } from 'vitest';
import { answersGiven, answersStand, dnsNews, type DnsStanding } from './dns-facts.js';

const fine: DnsStanding = { failing: false };

describe('facts about a name', () => {
  it('are told when it fails and when it recovers, once each, in the episode of the target', () => {
    const failed = dnsNews(fine, { failing: true, episode: 'ep_1' });
    expect(failed.news).toEqual([{ fact: 'failing', episode: 'ep_1', first: false }]);
    expect(dnsNews(failed.standing, { failing: true, episode: 'ep_1' }).news).toEqual([]);
    const recovered = dnsNews(failed.standing, { failing: false });
    expect(recovered).toEqual({
      news: [{ fact: 'recovered', episode: 'ep_1', first: false }],
      standing: { failing: false },
    });
  });

  it('begin with the first answers, which are nobody’s news', () => {
    expect(dnsNews(fine, { answers: ['10.0.0.1'] })).toEqual({
      news: [{ fact: 'changed', first: true }],
      standing: { failing: false, answers: ['10.0.0.1'] },
    });
  });

  it('name what was answered before when it changes', () => {
    const standing = { failing: false, answers: ['10.0.0.1', '10.0.0.2'] };
    expect(dnsNews(standing, { answers: ['10.0.0.1', '10.0.0.2'] }).news).toEqual([]);
    expect(dnsNews(standing, { answers: ['10.0.0.1'] }).news).toEqual([
      { fact: 'changed', previousAnswers: ['10.0.0.1', '10.0.0.2'], first: false },
    ]);
  });

  it('leave alone what was not observed', () => {
    const standing = { failing: true, episode: 'ep_1', answers: ['10.0.0.1'] };
    expect(dnsNews(standing, {})).toEqual({ news: [], standing });
  });
});

describe('answers', () => {
  it('stand when they were given twice in a row', () => {
    const once = answersGiven(undefined, ['a']);
    expect(answersStand(once)).toBe(false);
    expect(answersStand(answersGiven(once, ['b']))).toBe(false);
    expect(answersStand(answersGiven(once, ['a']))).toBe(true);
  });
});
