import { describe, expect, it } from 'vitest';
import { announcementAfter, factBetween, reasonOf } from './announcement.js';
import type { Transition } from './state.js';

const down: Transition = {
  subject: 'node/a',
  from: 'up',
  to: 'down',
  timeMs: 100_000,
  confirmedAtMs: 102_000,
  detectionMs: 2_000,
  episode: 'ep_own',
  confidence: 'quorum',
  evidence: [
    {
      observer: 'fra-1',
      atMs: 100_000,
      outcome: 'fail',
      phase: 'connect',
      detail: 'connection refused',
      durationMs: 1,
    },
    { observer: 'ams-1', atMs: 101_000, outcome: 'pass', detail: 'HTTP 200', durationMs: 9 },
  ],
  votes: { fail: 2, pass: 1, abstain: 0 },
};
const { votes: _votes, ...rest } = down;
const up: Transition = {
  ...rest,
  from: 'pending',
  to: 'up',
  evidence: [{ observer: 'fra-1', atMs: 100_000, outcome: 'pass', detail: 'HTTP 200', durationMs: 9 }],
};

describe('what is announced', () => {
  it.each([
    ['up', 'down', 'offline'],
    ['pending', 'down', 'offline'],
    ['down', 'up', 'online'],
    ['unknown', 'up', 'online'],
    ['pending', 'up', 'fresh'],
    ['degraded', 'up', 'restored'],
    ['up', 'degraded', 'degraded'],
    ['up', 'unknown', 'unknown'],
    ['down', 'down', undefined],
    ['up', 'pending', undefined],
  ] as const)('from %s to %s is %s', (from, to, fact) => {
    expect(factBetween(from, to)).toBe(fact);
  });

  it('is nothing where the store says so already', () => {
    expect(announcementAfter({ announced: 'down', episode: 'ep_1' }, down)).toBeUndefined();
  });

  it('closes the recorded outage, although the observer had just started and thought nothing of it', () => {
    expect(announcementAfter({ announced: 'down', sinceMs: 40_000, episode: 'ep_1' }, up)).toMatchObject({
      fact: 'online',
      transition: { from: 'down', to: 'up', episode: 'ep_1', downMs: 60_000 },
    });
  });

  it('opens an episode of its own where none is recorded', () => {
    expect(announcementAfter({ announced: 'up' }, down)).toMatchObject({
      fact: 'offline',
      transition: { from: 'up', episode: 'ep_own' },
    });
  });

  it('has no episode when it is the first word', () => {
    expect(announcementAfter({ announced: 'pending' }, up)?.transition).not.toHaveProperty('episode');
  });
});

describe('the reason', () => {
  it('tells how many saw what', () => {
    expect(reasonOf(down)).toBe('2 of 3 observers: connection refused');
  });

  it('is the probe itself where one observer decided', () => {
    expect(reasonOf(up)).toBe('HTTP 200');
  });
});
