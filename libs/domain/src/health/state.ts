import type { Instant, ProbePhase, ProbeResult } from './probe-result.js';
import type { VoteTally, VoteCast } from './quorum.js';

/**
 * Where the observer stands with a target. `unknown`: the observer is cut off and does not judge. `stale`: no result has
 * come for longer than it may take.
 */
export type HealthPhase = 'pending' | 'up' | 'suspect' | 'down' | 'recovering' | 'unknown' | 'stale';

/** What leaves the observer. `pending`: nothing has been decided yet. */
export type AnnouncedHealth = 'pending' | 'up' | 'degraded' | 'down' | 'unknown';

/** `quorum`: at least two observers agreed. `single`: one observer's word. */
export type Confidence = 'single' | 'quorum';

/** One observer's word on a target. */
export interface Evidence {
  observer: string;
  /** When the probe started, epoch milliseconds. */
  atMs: number;
  outcome: 'pass' | 'fail' | 'degraded' | 'abstain';
  phase?: ProbePhase;
  detail: string;
  durationMs: number;
}

/** Results of one kind in a row. */
export interface Streak {
  of: 'fail' | 'pass' | 'degraded';
  count: number;
  /** Start of the first probe of the row. */
  first: Instant;
  /** First and newest result of the row. */
  evidence: readonly Evidence[];
}

/** Everything the decision about one target needs. Plain data: it can be stored, compared and replayed. */
export interface HealthState {
  /** `<kind>/<name>` */
  subject: string;
  phase: HealthPhase;
  /** What was confirmed last. */
  announced: AnnouncedHealth;
  /** When that became true, epoch milliseconds; absent while pending. */
  sinceMs?: number;
  /** The open episode: from the first failing probe of an outage until its recovery. */
  episode?: string;
  streak?: Streak;
  /** Number of the newest round of votes; an answer to any other round is ignored. */
  round: number;
  /** True while the answer to `round` is awaited. */
  voting: boolean;
  /** True while nobody able to vote answered in this suspicion: it is decided alone. */
  alone: boolean;
  /** Since when the others have refused this observer's suspicion; ends with its first pass. */
  divergence?: { since: Instant; announced: boolean };
}

/** A change that has been confirmed. */
export interface Transition {
  subject: string;
  from: AnnouncedHealth;
  to: AnnouncedHealth;
  /** Start of the first failing (passing) probe, epoch milliseconds: when it became true. */
  timeMs: number;
  confirmedAtMs: number;
  /** From the first failing (passing) probe to the confirmation, milliseconds by the monotonic clock. */
  detectionMs: number;
  /** Shared by the facts that open and close an outage; absent on the first `up`. */
  episode?: string;
  confidence: Confidence;
  evidence: readonly Evidence[];
  votes?: VoteTally;
  /** On the way out of `down`: how long it lasted, milliseconds. */
  downMs?: number;
}

/** What happens to a target from the observer's point of view. */
export type HealthInput =
  | {
      kind: 'result';
      observer: string;
      startedAt: Instant;
      at: Instant;
      result: ProbeResult;
      /** Observers that could vote now, this one included. */
      voters: number;
    }
  | { kind: 'votes'; at: Instant; round: number; votes: readonly VoteCast[] }
  /** What the store holds as announced: the truth, wherever it differs. */
  | { kind: 'recorded'; announced: AnnouncedHealth; sinceMs?: number; episode?: string }
  /** This observer is cut off. */
  | { kind: 'isolated' }
  /** It is back. */
  | { kind: 'rejoined' }
  /** No result for longer than it may take. */
  | { kind: 'silent' };

/** What the observer has to do. */
export type HealthEffect =
  | { kind: 'suspected' }
  | { kind: 'ask-votes'; round: number; deadlineMs: number }
  | { kind: 'vote-refused'; tally: VoteTally }
  | { kind: 'announce'; transition: Transition }
  | { kind: 'vantage'; fact: 'diverged' | 'converged'; sinceMs: number };

/** Outcome of {@link decide}. */
export interface Decision {
  state: HealthState;
  effects: readonly HealthEffect[];
}

/** A target nobody has looked at yet. */
export function initialHealth(subject: string): HealthState {
  return { subject, phase: 'pending', announced: 'pending', round: 0, voting: false, alone: false };
}
