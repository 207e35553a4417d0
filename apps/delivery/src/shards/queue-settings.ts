import type { SubscriptionSpec } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { type Delivery, laneOf, type SubscriptionQueue } from '../send/subscription-queue.js';
import { TokenBucket } from '../send/token-bucket.js';

/** Puts what a declaration says of the how into a queue. */
export function configure(queue: SubscriptionQueue, spec: SubscriptionSpec | undefined): void {
  if (spec === undefined) return;
  queue.latestOnly = spec.delivery === 'latest';
  queue.rate = spec.rate === undefined ? undefined : new TokenBucket(spec.rate.perSecond, spec.rate.burst);
  queue.endpoint = endpointOf(spec.destination.url);
}

/** A delivery that is yet to go out. */
export function newDelivery(
  spec: SubscriptionSpec | undefined,
  subscription: string,
  of: {
    position: number;
    subject: string;
    event: RecordedEvent | undefined;
    hasRow: boolean;
    attempts?: number;
    nextAt?: number;
    since?: number;
    replay?: number | null;
  },
  nowMs: number,
): Delivery {
  // Without an order of subjects there is none to tell which is the latest.
  const ordered = spec?.order !== 'none' || spec.delivery === 'latest';
  return {
    subscription,
    position: of.position,
    subject: of.subject,
    lane: laneOf(ordered, of),
    attempts: of.attempts ?? 0,
    nextAt: of.nextAt ?? nowMs,
    since: of.since ?? nowMs,
    replay: of.replay ?? null,
    event: of.event,
    hasRow: of.hasRow,
  };
}

/** Scheme, host and port; the rest may be a secret and makes no other receiver. */
function endpointOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? url : `${parsed.protocol}//${parsed.host}`;
}
