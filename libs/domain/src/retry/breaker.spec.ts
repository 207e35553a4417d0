import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BREAKER_PROBE_LOST_MS,
  BREAKER_PROBE_MAX_MS,
  BREAKER_SLOW_START,
  type BreakerSignal,
  breakerAdmits,
  breakerRecords,
  breakerSignal,
  type BreakerState,
  newBreaker,
  slowStartLimit,
} from './breaker.js';

const fourFailures: BreakerSignal[] = ['failure', 'failure', 'failure', 'failure'];
const start = 1_700_000_000_000;

/** Feeds ends of ordinary requests, one a second. */
function feed(state: BreakerState, signals: BreakerSignal[], everyMs = 1_000, fromMs = start): BreakerState {
  return signals.reduce(
    (current, signal, index) => breakerRecords(current, { signal, probe: false, nowMs: fromMs + index * everyMs }),
    state,
  );
}
const ended = (index: number): BreakerSignal => (index % 2 === 0 ? 'success' : 'failure');
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Sends one probe at `nowMs` and lets it end so. */
function probe(state: BreakerState, nowMs: number, signal: BreakerSignal): BreakerState {
  const admission = breakerAdmits(state, { nowMs, inFlight: 0 });
  if (!admission.admitted) throw new Error('no probe was admitted');
  expect(admission.probe).toBe(true);
  return breakerRecords(admission.state, { signal, probe: true, nowMs });
}
const probeAt = (state: BreakerState) => (state.phase === 'open' ? state.probeAtMs : Number.NaN);

describe('opening', () => {
  it('opens at the fifth failure in a row, not at the fourth', () => {
    expect(feed(newBreaker(), times(4, 'failure')).phase).toBe('closed');
    expect(feed(newBreaker(), times(5, 'failure')).phase).toBe('open');
    expect(feed(newBreaker(), [...fourFailures, 'success', ...fourFailures]).phase).toBe('closed');
  });

  it('opens when half of twenty attempts within a minute failed, though never five in a row', () => {
    const alternating = Array.from({ length: 19 }, (_, index) => ended(index));
    const before = feed(newBreaker(), alternating);
    expect(before.phase).toBe('closed');
    expect(feed(before, ['failure'], 1_000, start + 19_000).phase).toBe('open');
  });

  it('does not count what is older than a minute', () => {
    const slow = Array.from({ length: 40 }, (_, index) => ended(index));
    expect(feed(newBreaker(), slow, 4_000).phase).toBe('closed');
  });

  it('stays closed for answers about one request and for attempts that were never sent', () => {
    expect(feed(newBreaker(), [...times(50, 'answered' as const), ...times(50, 'neutral' as const)]).phase).toBe(
      'closed',
    );
  });

  it('stays small at any rate', () => {
    const busy = feed(newBreaker(), times(10_000, 'success'), 25);
    expect(busy.phase === 'closed' && busy.slices.length).toBeLessThanOrEqual(13);
  });

  it('survives a wall clock that steps back', () => {
    let state: BreakerState = newBreaker();
    for (let index = 0; index < 500; index++) {
      state = breakerRecords(state, { signal: 'success', probe: false, nowMs: start - index * 7_000 });
    }
    expect(state.phase === 'closed' && state.slices.length).toBe(1);
  });
});

describe('probing', () => {
  const open = feed(newBreaker(), times(5, 'failure'));

  it('admits one probe at a time', () => {
    const first = breakerAdmits(open, { nowMs: probeAt(open), inFlight: 0 });
    if (!first.admitted) throw new Error('no probe was admitted');
    expect(breakerAdmits(first.state, { nowMs: probeAt(open) + 1, inFlight: 1 })).toEqual({
      admitted: false,
      waitUntilMs: undefined,
    });
  });

  it('waits 5 s, doubling to 5 min', () => {
    let state = open;
    let openedAt = start + 4_000;
    const waits: number[] = [];
    for (let index = 0; index < 9; index++) {
      waits.push(probeAt(state) - openedAt);
      openedAt = probeAt(state);
      state = probe(state, openedAt, 'failure');
    }
    expect(waits.map((ms) => ms / 1_000)).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('says until when nothing goes out', () => {
    expect(breakerAdmits(open, { nowMs: start + 4_001, inFlight: 0 })).toEqual({
      admitted: false,
      waitUntilMs: probeAt(open),
    });
  });

  it('closes after two successes in a row and then admits 1, 2, 4 at a time', () => {
    let state = probe(open, probeAt(open), 'success');
    expect(state.phase).toBe('open');
    state = probe(state, probeAt(state), 'success');
    expect(state.phase).toBe('closed');
    const limits: (number | undefined)[] = [];
    for (const limit of BREAKER_SLOW_START) {
      limits.push(slowStartLimit(state));
      expect(breakerAdmits(state, { nowMs: start, inFlight: limit }).admitted).toBe(false);
      expect(breakerAdmits(state, { nowMs: start, inFlight: limit - 1 }).admitted).toBe(true);
      state = feed(state, times(limit, 'success'));
    }
    expect(limits).toEqual([1, 2, 4]);
    expect(slowStartLimit(state)).toBeUndefined();
    expect(breakerAdmits(state, { nowMs: start, inFlight: 1_000 }).admitted).toBe(true);
  });

  it('starts slowly again after a failure in the slow start', () => {
    let state = probe(open, probeAt(open), 'success');
    state = feed(probe(state, probeAt(state), 'success'), ['success']);
    expect(slowStartLimit(state)).toBe(2);
    expect(slowStartLimit(feed(state, ['failure']))).toBe(1);
  });

  it('takes an answer about one request as a sign of life, so that one poisonous event cannot hold the endpoint', () => {
    const state = probe(open, probeAt(open), 'answered');
    expect(probe(state, probeAt(state), 'answered').phase).toBe('closed');
  });

  it('ignores requests from before the opening that come back late', () => {
    expect(breakerRecords(open, { signal: 'success', probe: false, nowMs: start })).toBe(open);
    expect(breakerRecords(open, { signal: 'failure', probe: false, nowMs: start })).toBe(open);
  });

  it('sends another probe when the result of one never came', () => {
    const first = breakerAdmits(open, { nowMs: probeAt(open), inFlight: 0 });
    if (!first.admitted) throw new Error('no probe was admitted');
    const later = breakerAdmits(first.state, { nowMs: probeAt(open) + BREAKER_PROBE_LOST_MS, inFlight: 0 });
    expect(later.admitted).toBe(true);
  });

  it('sends a dead endpoint no more than one request a step, however many wait', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 200, maxLength: 400 }), (gaps) => {
        let state: BreakerState = open;
        let nowMs = start + 4_000;
        let last: { atMs: number; waitMs: number } | undefined;
        for (const gap of gaps) {
          nowMs += gap;
          const admission = breakerAdmits(state, { nowMs, inFlight: 0 });
          if (!admission.admitted) continue;
          const waitMs = state.phase === 'open' ? state.probeWaitMs : 0;
          if (last !== undefined) {
            expect(nowMs - last.atMs).toBeGreaterThanOrEqual(waitMs);
            expect(waitMs).toBe(Math.min(last.waitMs * 2, BREAKER_PROBE_MAX_MS));
          }
          last = { atMs: nowMs, waitMs };
          state = breakerRecords(admission.state, { signal: 'failure', probe: true, nowMs });
        }
        expect(last).toBeDefined();
      }),
    );
  });
});

describe('breakerSignal', () => {
  it('tells the endpoint from the request', () => {
    const of = (status: number) => breakerSignal({ kind: 'response', status });
    expect([200, 204].map(of)).toEqual(['success', 'success']);
    expect([400, 409, 413, 414, 415, 422, 431].map(of)).toEqual(times(7, 'answered'));
    expect([301, 401, 403, 404, 405, 408, 410, 425, 429, 500, 503].map(of)).toEqual(times(11, 'failure'));
  });

  it('goes by a rejection where there is one', () => {
    const of = (rejected: 'passing' | 'request' | 'auth') => breakerSignal({ kind: 'response', status: 200, rejected });
    expect([of('passing'), of('request'), of('auth')]).toEqual(['failure', 'answered', 'failure']);
  });

  it('learns nothing from attempts that were not sent', () => {
    const of = (errorClass: 'egress-blocked' | 'local' | 'aborted' | 'timeout' | 'tls') =>
      breakerSignal({ kind: 'error', errorClass });
    expect([of('egress-blocked'), of('local'), of('aborted')]).toEqual(times(3, 'neutral'));
    expect([of('timeout'), of('tls')]).toEqual(times(2, 'failure'));
  });
});
