/** How a change of one target is confirmed and how often it is looked at. All in milliseconds or counts. */
export interface HealthPolicy {
  intervalMs: number;
  timeoutMs: number;
  fastIntervalMs: number;
  /** Failing probes in a row before the others are asked. */
  failures: number;
  /** Passing probes in a row that end an outage. */
  successes: number;
}

/** Mean detection of 8–15 s at a cost of six probes a minute (POLICY: HAProxy and NGINX 2–5 s, Route 53 10–30 s). */
export const DEFAULT_HEALTH_POLICY: HealthPolicy = {
  intervalMs: 10_000,
  timeoutMs: 2_000,
  fastIntervalMs: 1_000,
  failures: 2,
  successes: 2,
};

/** Failures a lone observer needs; see {@link failuresAlone}. */
const FAILURES_ALONE = 3;

/**
 * Failing probes in a row a lone observer needs. One more probe stands in for the missing second opinion: 1 → 2, 2 (the
 * default) → 3. From 3 on the configured number is taken as it is: whoever wrote it asked for that much proof already.
 */
export function failuresAlone(failures: number): number {
  return failures < FAILURES_ALONE ? failures + 1 : failures;
}

/** Pause between the two probes of a vote: long enough to outlive one lost packet and its first retransmission. */
export const VOTE_PROBE_PAUSE_MS = 500;

/** How long an answer to a request for votes may take: two probes and the pause between them, and the same again for the way. */
export function voteDeadlineMs(timeoutMs: number): number {
  return 2 * (timeoutMs + VOTE_PROBE_PAUSE_MS);
}

/** How long the others may refuse an observer's suspicion before that itself is worth an event. */
export const DIVERGENCE_PATIENCE_MS = 5 * 60_000;
