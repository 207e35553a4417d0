import type { AttemptResult } from './outcome.js';

/** Failures in a row that open the breaker. */
export const BREAKER_FAILURES_IN_A_ROW = 5;
/** … or this share of failures among at least so many attempts within the window. */
export const BREAKER_FAILURE_SHARE = 0.5;
export const BREAKER_MIN_ATTEMPTS = 20;
export const BREAKER_WINDOW_MS = 60_000;
/** First wait before a probe, and the longest one: an endpoint just restarted is met soon, a dead one costs 12 requests an hour. */
export const BREAKER_PROBE_MIN_MS = 5_000;
export const BREAKER_PROBE_MAX_MS = 300_000;
/** Successful probes in a row that close the breaker. */
export const BREAKER_SUCCESSES_TO_CLOSE = 2;
/** Requests in flight in the steps after closing: whoever just got up is not knocked over by what has piled up. */
export const BREAKER_SLOW_START: readonly number[] = [1, 2, 4];
/** A probe whose result never came is forgotten after this time; twice the longest deadline of an attempt. */
export const BREAKER_PROBE_LOST_MS = 60_000;

/** The window is counted in slices, so that the state of an endpoint stays small at any rate. */
const SLICE_MS = 5_000;

interface Slice {
  readonly startMs: number;
  readonly successes: number;
  readonly failures: number;
}

/** Requests go out, as many at a time as the endpoint's limit allows, or fewer during the slow start. */
export interface ClosedBreaker {
  readonly phase: 'closed';
  readonly failuresInARow: number;
  readonly slices: readonly Slice[];
  /** Index into {@link BREAKER_SLOW_START}, and the successes seen in that step. Absent: no limit of the breaker's own. */
  readonly slowStart?: { readonly step: number; readonly successes: number };
}

/** Nothing goes out but one probe at a time. */
export interface OpenBreaker {
  readonly phase: 'open';
  /** When it opened, epoch milliseconds. */
  readonly openedAtMs: number;
  /** The next probe may go out from here on, epoch milliseconds. */
  readonly probeAtMs: number;
  /** The wait that led there, milliseconds; doubles with each failed probe. */
  readonly probeWaitMs: number;
  /** Set while a probe is out. */
  readonly probeSentAtMs?: number;
  /** Successful probes in a row. */
  readonly probesPassed: number;
}

/** The breaker of one endpoint: plain data, no clock, no timer. */
export type BreakerState = ClosedBreaker | OpenBreaker;

/**
 * How an attempt counts for the endpoint as a whole. `answered`: this one request was turned down by an endpoint that is alive;
 * `neutral`: nothing went out, so nothing was learnt.
 */
export type BreakerSignal = 'success' | 'failure' | 'answered' | 'neutral';

/** Answers that judge this one request; others need not wait for it. */
const ABOUT_THE_REQUEST = new Set([400, 409, 413, 414, 415, 422, 431]);

/** Does this outcome speak for or against the endpoint, or about this one request only? */
export function breakerSignal(result: AttemptResult): BreakerSignal {
  if (result.kind === 'error') {
    return ['egress-blocked', 'local', 'aborted'].includes(result.errorClass) ? 'neutral' : 'failure';
  }
  if (result.rejected !== undefined) return result.rejected === 'request' ? 'answered' : 'failure';
  if (result.status >= 200 && result.status <= 299) return 'success';
  return ABOUT_THE_REQUEST.has(result.status) ? 'answered' : 'failure';
}

/** A breaker that has seen nothing yet. */
export function newBreaker(): ClosedBreaker {
  return { phase: 'closed', failuresInARow: 0, slices: [] };
}

/** May a request go out now? If not, `waitUntilMs` says when to ask again, unless that depends on a request in flight. */
export type Admission =
  { admitted: true; probe: boolean; state: BreakerState } | { admitted: false; waitUntilMs: number | undefined };

/**
 * Asks for one request. The new state of an admitted one must be kept: it remembers that a probe is out.
 * @param now.inFlight requests of this endpoint under way
 */
export function breakerAdmits(state: BreakerState, now: { nowMs: number; inFlight: number }): Admission {
  if (state.phase === 'closed') {
    const limit = slowStartLimit(state);
    if (limit !== undefined && now.inFlight >= limit) return { admitted: false, waitUntilMs: undefined };
    return { admitted: true, probe: false, state };
  }
  if (state.probeSentAtMs !== undefined && now.nowMs < state.probeSentAtMs + BREAKER_PROBE_LOST_MS) {
    return { admitted: false, waitUntilMs: undefined };
  }
  if (now.nowMs < state.probeAtMs) return { admitted: false, waitUntilMs: state.probeAtMs };
  return { admitted: true, probe: true, state: { ...state, probeSentAtMs: now.nowMs } };
}

/** Requests that may be in flight during the slow start; undefined when it is over or the breaker is open. */
export function slowStartLimit(state: BreakerState): number | undefined {
  return state.phase === 'closed' && state.slowStart !== undefined
    ? BREAKER_SLOW_START[state.slowStart.step]
    : undefined;
}

/**
 * Takes in how an attempt ended.
 * @param ended.probe as {@link breakerAdmits} said when it went out: requests from before the opening come back late and decide nothing
 */
export function breakerRecords(
  state: BreakerState,
  ended: { signal: BreakerSignal; probe: boolean; nowMs: number },
): BreakerState {
  if (state.phase === 'closed') {
    if (ended.signal === 'answered' || ended.signal === 'neutral') return state;
    return recordClosed(state, ended.signal, ended.nowMs);
  }
  return ended.probe ? recordProbe(state, ended.signal, ended.nowMs) : state;
}

function recordClosed(state: ClosedBreaker, signal: 'success' | 'failure', nowMs: number): BreakerState {
  const failuresInARow = signal === 'failure' ? state.failuresInARow + 1 : 0;
  const slices = countIn(state.slices, signal, nowMs);
  const failures = slices.reduce((sum, slice) => sum + slice.failures, 0);
  const attempts = failures + slices.reduce((sum, slice) => sum + slice.successes, 0);
  const tooMany = attempts >= BREAKER_MIN_ATTEMPTS && failures / attempts >= BREAKER_FAILURE_SHARE;
  // A success never opens: a share that was too high has opened at the failure that made it so.
  if (signal === 'failure' && (tooMany || failuresInARow >= BREAKER_FAILURES_IN_A_ROW)) {
    return opened(nowMs, BREAKER_PROBE_MIN_MS, nowMs);
  }
  return { phase: 'closed', failuresInARow, slices, ...nextSlowStart(state.slowStart, signal) };
}

function recordProbe(state: OpenBreaker, signal: BreakerSignal, nowMs: number): BreakerState {
  if (signal === 'failure') {
    return opened(nowMs, Math.min(state.probeWaitMs * 2, BREAKER_PROBE_MAX_MS), state.openedAtMs);
  }
  const { probeSentAtMs: _over, ...waiting } = state;
  if (signal === 'neutral') return { ...waiting, probeAtMs: nowMs + state.probeWaitMs };
  const probesPassed = state.probesPassed + 1;
  if (probesPassed < BREAKER_SUCCESSES_TO_CLOSE) return { ...waiting, probesPassed, probeAtMs: nowMs };
  return { ...newBreaker(), slowStart: { step: 0, successes: 0 } };
}

function opened(nowMs: number, probeWaitMs: number, openedAtMs: number): OpenBreaker {
  return { phase: 'open', openedAtMs, probeAtMs: nowMs + probeWaitMs, probeWaitMs, probesPassed: 0 };
}

function nextSlowStart(
  current: ClosedBreaker['slowStart'],
  signal: 'success' | 'failure',
): Pick<ClosedBreaker, 'slowStart'> {
  if (current === undefined) return {};
  if (signal === 'failure') return { slowStart: { step: 0, successes: 0 } };
  const limit = BREAKER_SLOW_START[current.step] ?? 1;
  const successes = current.successes + 1;
  if (successes < limit) return { slowStart: { step: current.step, successes } };
  return current.step + 1 < BREAKER_SLOW_START.length ? { slowStart: { step: current.step + 1, successes: 0 } } : {};
}

function countIn(slices: readonly Slice[], signal: 'success' | 'failure', nowMs: number): readonly Slice[] {
  const startMs = nowMs - (nowMs % SLICE_MS);
  const live = slices.filter((slice) => slice.startMs > nowMs - BREAKER_WINDOW_MS);
  const last = live.at(-1);
  // A wall clock that stepped back must not grow the list: what comes in then counts into the newest slice.
  const current = last !== undefined && last.startMs >= startMs ? last : { startMs, successes: 0, failures: 0 };
  const rest = current === last ? live.slice(0, -1) : live;
  return [
    ...rest,
    signal === 'success'
      ? { ...current, successes: current.successes + 1 }
      : { ...current, failures: current.failures + 1 },
  ];
}
