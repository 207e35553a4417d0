import { z } from 'zod';

/** Source of every event the observers append. */
export const HEALTH_PROBE_SOURCE = 'tocsin/health-probe';

/** NATS subjects the observers serve. */
export const PROBE_RPC = {
  /** What an observer has done since its start. */
  stats: 'tocsin.rpc.probe.stats',
} as const;

/** The observer's part of the noise receipt: counts since the start of its process. */
export const probeCountsSchema = z.object({
  observer: z.string(),
  /** Targets it watches now. */
  targets: z.int(),
  /** Checks made, whatever came of them. */
  checks: z.int(),
  /** Checks that said nothing of the target: the observer's own trouble. */
  local: z.int(),
  /** Checks that were void because the observer was blocked. */
  voided: z.int(),
  suspicions: z.int(),
  /** Suspicions the other observers did not share. */
  refused: z.int(),
  /** Changes confirmed. */
  transitions: z.int(),
  /** Changes committed to the log. */
  announced: z.int(),
});
export type ProbeCounts = z.infer<typeof probeCountsSchema>;
