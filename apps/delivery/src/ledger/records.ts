import type { EndpointHealth, EventToAppend } from '@tocsin/domain';
import type { ReplaySpec } from '@tocsin/contracts';

/** One attempt, as `delivery.attempt` keeps it for ever. Times are epoch milliseconds. */
export interface AttemptRecord {
  subscription: string;
  position: number;
  webhookId: string;
  eventType: string;
  eventSubject: string;
  /** 1, 2, 3 … of this delivery. */
  number: number;
  startedAt: number;
  delivered: boolean;
  /** The verdict in a word: `delivered`, `retry`, `dead` … */
  outcome: string;
  status: number | undefined;
  errorClass: string | undefined;
  detail: string | undefined;
  address: string | undefined;
  urlHash: string;
  phasesMs: Record<string, number>;
  responseBytes: number;
  bodyHead: string | undefined;
  nextAt: number | undefined;
  worker: string;
  traceId: string | undefined;
  spanId: string | undefined;
}

/** A row of `delivery.pending`: unfinished when the checkpoint passed, or waiting for a retry. */
export interface PendingRecord {
  subscription: string;
  position: number;
  subject: string;
  attempts: number;
  nextAt: number;
  since: number;
  /** Position of the request that replays it; null for the first telling. */
  replay: number | null;
}

/** A row of `delivery.dead`. */
export interface DeadRecord {
  subscription: string;
  position: number;
  subject: string;
  attempts: number;
  reason: string;
  at: number;
}

/** A row of `delivery.parked`: everything the subscription wants behind `position` waits. */
export interface ParkedRecord {
  subscription: string;
  position: number;
  reason: string;
  since: number;
}

/** A row of `delivery.endpoint`: what must outlive this process of what is known of a subscription's endpoint. */
export interface EndpointRecord {
  subscription: string;
  /** Position of the declaration that was last acted upon. */
  revision: number;
  health: EndpointHealth;
  /** A Retry-After holds everything until then, epoch milliseconds. */
  heldUntil: number | null;
}

/** A row of `delivery.superseded`: `events` matches of one subject from `first` on gave way to the one at `by`. */
export interface SupersededRecord {
  subscription: string;
  subject: string;
  first: number;
  by: number;
  events: number;
  at: number;
}

/** A row of `delivery.announcement`: an event of delivery's own that is yet to be appended. */
export interface AnnouncementRecord {
  id: string;
  event: EventToAppend;
}

/** A row of `delivery.replay`: a replay that is not through. */
export interface ReplayRecord {
  subscription: string;
  /** Position of the event that asked for it. */
  position: number;
  /** Read up to here. */
  next: number;
  spec: ReplaySpec;
}

/** What a shard's new owner has to know. */
export interface ShardState {
  checkpoint: number;
  pending: PendingRecord[];
  parked: ParkedRecord[];
  endpoints: EndpointRecord[];
  announcements: AnnouncementRecord[];
  replays: ReplayRecord[];
  /** Those that reach past the checkpoint. */
  superseded: SupersededRecord[];
  /** {@link deliveryKey} of what is settled past the checkpoint. */
  settled: Set<string>;
}

/** The key of a delivery within its ledger. */
export function deliveryKey(subscription: string, position: number): string {
  return `${subscription}|${position}`;
}
