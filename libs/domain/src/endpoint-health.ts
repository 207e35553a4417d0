import type { Verdict } from './retry/outcome.js';
import { BLOCKED_RETRIES } from './retry/schedule.js';

const HOUR = 3_600_000;

/** An endpoint without a success for so long is told of again, milliseconds: after a shift's first coffee, a day, a weekend. */
export const FAILING_WARNINGS_MS: readonly { readonly name: string; readonly afterMs: number }[] = [
  { name: '1h', afterMs: HOUR },
  { name: '24h', afterMs: 24 * HOUR },
  { name: '72h', afterMs: 72 * HOUR },
];
/**
 * … and then gets nothing more until somebody changes the subscription. Five days outlast a long weekend. Counted from the first
 * failure, so that one failure after a quiet week disables nothing: there are always two failures, more than 12 hours apart.
 */
export const DISABLE_AFTER_MS = 120 * HOUR;

/** Why a subscription gets nothing more. */
export type DisabledReason = 'gone' | 'no-success' | 'egress-blocked';

/** What is known of the endpoint of one subscription beyond its breaker, and what was already told about it. Plain data. */
export interface EndpointHealth {
  /** First failure since the last success, epoch milliseconds. */
  readonly failingSinceMs?: number;
  readonly failingTold?: boolean;
  /** How many of {@link FAILING_WARNINGS_MS} are past. */
  readonly warned?: number;
  readonly misconfiguredTold?: boolean;
  readonly authFailingTold?: boolean;
  /** Refusals by the egress policy in a row. */
  readonly blockedInARow?: number;
  readonly disabled?: DisabledReason;
}

/** Something worth an event. */
export type EndpointFact =
  | { fact: 'failing'; sinceMs: number; warning?: string }
  | { fact: 'recovered' | 'misconfigured' | 'auth-failing' | 'auth-restored' | 'gone'; sinceMs?: number }
  | { fact: 'disabled'; reason: DisabledReason; sinceMs?: number };

/** How an attempt ended, as far as the endpoint is concerned. */
export interface EndpointOutcome {
  verdict: Verdict;
  /** The endpoint itself is at fault, not this one request (`breakerSignal` = failure). */
  endpointFailed: boolean;
  /** The breaker is open after this attempt. */
  resting: boolean;
  nowMs: number;
}

/**
 * Takes in how an attempt ended. The same object comes back where nothing changed, so that nothing need be written.
 * Rules: POLICY of delivery, "every state change of a subscription is an event of its own, once".
 */
export function endpointAfter(
  health: EndpointHealth,
  outcome: EndpointOutcome,
): { health: EndpointHealth; facts: EndpointFact[] } {
  if (health.disabled !== undefined || outcome.verdict === 'interrupted') return { health, facts: [] };
  if (outcome.verdict === 'success') return afterSuccess(health);
  if (outcome.verdict === 'blocked') return afterBlocked(health, outcome.nowMs);
  if (outcome.verdict !== 'gone' && !outcome.endpointFailed) return { health, facts: [] };
  return afterFailure(health, outcome);
}

function afterSuccess(health: EndpointHealth): { health: EndpointHealth; facts: EndpointFact[] } {
  if (Object.keys(health).length === 0) return { health, facts: [] };
  const facts: EndpointFact[] = [];
  if (health.authFailingTold === true) facts.push({ fact: 'auth-restored', ...sinceOf(health) });
  if (health.failingTold === true) facts.push({ fact: 'recovered', ...sinceOf(health) });
  return { health: {}, facts };
}

function afterBlocked(health: EndpointHealth, nowMs: number): { health: EndpointHealth; facts: EndpointFact[] } {
  const blockedInARow = (health.blockedInARow ?? 0) + 1;
  const next = { ...health, blockedInARow, failingSinceMs: health.failingSinceMs ?? nowMs };
  if (blockedInARow <= BLOCKED_RETRIES) return { health: next, facts: [] };
  return disabled(next, 'egress-blocked', []);
}

function afterFailure(
  health: EndpointHealth,
  { verdict, resting, nowMs }: EndpointOutcome,
): { health: EndpointHealth; facts: EndpointFact[] } {
  const sinceMs = health.failingSinceMs ?? nowMs;
  const lastingMs = nowMs - sinceMs;
  const facts: EndpointFact[] = [];
  let next: EndpointHealth = health;
  const note = (change: EndpointHealth, fact?: EndpointFact): void => {
    next = { ...next, ...change };
    if (fact !== undefined) facts.push(fact);
  };
  if (health.failingSinceMs === undefined) note({ failingSinceMs: nowMs });
  if (health.blockedInARow !== undefined) note({ blockedInARow: 0 });
  if (verdict === 'gone') return disabled(next, 'gone', [...facts, { fact: 'gone', sinceMs }]);
  if (verdict === 'misconfigured' && next.misconfiguredTold !== true) {
    note({ misconfiguredTold: true }, { fact: 'misconfigured', sinceMs });
  }
  if (verdict === 'auth' && next.authFailingTold !== true) {
    note({ authFailingTold: true }, { fact: 'auth-failing', sinceMs });
  }
  if (resting && next.failingTold !== true) note({ failingTold: true }, { fact: 'failing', sinceMs });
  if (lastingMs >= DISABLE_AFTER_MS) return disabled(next, 'no-success', facts);
  const past = FAILING_WARNINGS_MS.filter(({ afterMs }) => lastingMs >= afterMs);
  const newest = past.at(-1);
  if (newest !== undefined && past.length > (health.warned ?? 0)) {
    note({ warned: past.length, failingTold: true }, { fact: 'failing', sinceMs, warning: newest.name });
  }
  return { health: next, facts };
}

function disabled(
  health: EndpointHealth,
  reason: DisabledReason,
  facts: EndpointFact[],
): { health: EndpointHealth; facts: EndpointFact[] } {
  return {
    health: { ...health, disabled: reason },
    facts: [...facts, { fact: 'disabled', reason, ...sinceOf(health) }],
  };
}

function sinceOf(health: EndpointHealth): { sinceMs?: number } {
  return health.failingSinceMs === undefined ? {} : { sinceMs: health.failingSinceMs };
}
