import { z } from 'zod';
import { checkSchema } from './check.js';
import { nameSchema } from './primitives.js';

/** Source of every event the observers append. */
export const HEALTH_PROBE_SOURCE = 'tocsin/health-probe';

/** NATS subjects the observers serve. */
export const PROBE_RPC = {
  /**
   * What one observer has done since its start: `tocsin.rpc.probe.stats.<observer>`. Who observes stands in {@link OBSERVERS_BUCKET}; of all of them
   * over their restarts, `GET /v1/noise` tells.
   */
  statsPrefix: 'tocsin.rpc.probe.stats',
  /** One observer's vote on a suspicion: `tocsin.rpc.probe.vote.<observer>`. */
  votePrefix: 'tocsin.rpc.probe.vote',
  /** Is this observer there? `tocsin.rpc.probe.ping.<observer>`. */
  pingPrefix: 'tocsin.rpc.probe.ping',
  /** Can ICMP checks be made? Served by those observers only that were told to make them. */
  icmp: 'tocsin.rpc.probe.icmp',
  /** Members of a group are down: may they be told by themselves? `tocsin.rpc.probe.storm.<observer that keeps the group>`. */
  stormPrefix: 'tocsin.rpc.probe.storm',
  /** How many members of a group are suspect with this observer? `tocsin.rpc.probe.suspects.<observer>`. */
  suspectsPrefix: 'tocsin.rpc.probe.suspects',
} as const;

/** `reason`: why an observer that was told to make ICMP checks cannot; absent where it can. */
export const icmpReplySchema = z.object({ reason: z.string().optional() });

/** KV bucket of group outages that last: key = group, value = {@link GroupOutage}. */
export const GROUP_OUTAGES_BUCKET = 'tocsin_group_outages';

/** Members in one question to the keeper of a group: with the longest names a quarter of what a message may hold. */
export const STORM_MEMBERS_AT_ONCE = 1_000;

/**
 * What the keeper of a group is asked about members that are down, again and again until it has decided about each.
 * `episode`: which outage of the member. `collectedMs`: for how long others of the group have been waiting, as the keeper before has
 * said; 0 where none has.
 */
export const stormRequestSchema = z.object({
  group: z.string(),
  members: z
    .array(z.object({ subject: z.string(), episode: z.string() }))
    .min(1)
    .max(STORM_MEMBERS_AT_ONCE),
  collectedMs: z.number().nonnegative(),
});
export type StormRequest = z.infer<typeof stormRequestSchema>;

/**
 * `alone`: subjects to be told by themselves. `absorbed`: those to be told to nobody, because the group's own event `causedBy` stands for them.
 * Whoever is in neither waits. `collectedMs`: for how long the group's members have been collected.
 */
export const stormReplySchema = z.object({
  alone: z.array(z.string()),
  absorbed: z.array(z.string()),
  causedBy: z.string().optional(),
  collectedMs: z.number().nonnegative(),
});
export type StormReply = z.infer<typeof stormReplySchema>;

/** `look`: the members that are not suspect yet are to be probed now. */
export const suspectsRequestSchema = z.object({ group: z.string(), look: z.boolean() });
export type SuspectsRequest = z.infer<typeof suspectsRequestSchema>;
export const suspectsReplySchema = z.object({ suspects: z.int().nonnegative() });
export type SuspectsReply = z.infer<typeof suspectsReplySchema>;

/** An outage of a group, while it lasts. */
export const groupOutageSchema = z.object({
  /** The group. */
  name: z.string(),
  /** Position of `io.tocsin.group.outage`. */
  revision: z.int(),
  /** Its id. */
  event: z.string(),
  /** Version of the group's subject at it. */
  version: z.int(),
  episode: z.string(),
  since: z.string(),
  members: z.array(z.string()),
});
export type GroupOutage = z.infer<typeof groupOutageSchema>;

/** KV bucket in which live observers are listed: key = observer id, value = ObserverSeat; entries expire. */
export const OBSERVERS_BUCKET = 'tocsin_observers';

/** An observer, as it lists itself. */
export const observerEntrySchema = z.object({
  id: z.string(),
  site: z.string(),
  /** Differs for every process: two of the same id are a mistake that shows. */
  instance: z.string(),
  /** It is cut off from what it watches: it owns nothing and abstains. */
  isolated: z.boolean(),
});
export type ObserverEntry = z.infer<typeof observerEntrySchema>;

/** What an observer that suspects a target asks of another. */
export const voteRequestSchema = z.object({ target: nameSchema, by: z.string(), check: checkSchema });
export type VoteRequest = z.infer<typeof voteRequestSchema>;

/** And what it is answered. */
export const voteReplySchema = z.object({
  vote: z.enum(['fail', 'pass', 'abstain']),
  evidence: z.object({
    observer: z.string(),
    /** When the probe that decided started, epoch milliseconds. */
    atMs: z.number(),
    outcome: z.enum(['pass', 'fail', 'degraded', 'abstain']),
    phase: z.enum(['dns', 'connect', 'tls', 'request', 'assert', 'deadline']).optional(),
    detail: z.string(),
    durationMs: z.number(),
  }),
});
export type VoteReply = z.infer<typeof voteReplySchema>;

/** Type of the event that says that a target has not been looked at for too long; subject `target/<name>`. */
export const TARGET_STALE = 'io.tocsin.target.stale';

/** Types of the observers' events that are not about one target; subjects `observer/<id>`, `vantage/<target>`, `group/<group>`. */
export const OBSERVER_EVENTS = {
  isolated: 'io.tocsin.observer.isolated',
  rejoined: 'io.tocsin.observer.rejoined',
  diverged: 'io.tocsin.vantage.diverged',
  converged: 'io.tocsin.vantage.converged',
  groupOutage: 'io.tocsin.group.outage',
  groupRecovered: 'io.tocsin.group.recovered',
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
  /** Changes confirmed. That a target is up at its first look is none. */
  transitions: z.int(),
  /** Of these, committed to the log by this observer as withheld: told to nobody. */
  withheld: z.int(),
  /** And committed for everybody who subscribed. */
  announced: z.int(),
});
export type ProbeCounts = z.infer<typeof probeCountsSchema>;
