import { type RecordedEvent, type Verdict, webhookId } from '@tocsin/domain';
import type { AttemptOutcome } from '@tocsin/webhook';
import { createHash } from 'node:crypto';
import type { AttemptRecord } from '../ledger/records.js';
import type { AttemptSpanIds } from './attempt-trace.js';
import type { Delivery } from './subscription-queue.js';

/** URLs are few and hashed for every attempt. */
const MOST_HASHES = 10_000;
const hashes = new Map<string, string>();

/** The row of one attempt. */
export function attemptRecord(
  delivery: Delivery,
  event: RecordedEvent,
  outcome: AttemptOutcome,
  made: { startedAt: number; verdict: Verdict; url: string; worker: string; span: AttemptSpanIds },
): AttemptRecord {
  return {
    subscription: delivery.subscription,
    position: delivery.position,
    webhookId: webhookId(event),
    eventType: event.type,
    eventSubject: event.subject,
    number: delivery.attempts,
    startedAt: made.startedAt,
    delivered: made.verdict === 'success',
    outcome: made.verdict === 'success' ? 'delivered' : made.verdict,
    status: outcome.kind === 'response' ? outcome.status : undefined,
    errorClass: outcome.kind === 'error' ? outcome.errorClass : undefined,
    detail: outcome.kind === 'error' ? outcome.detail : undefined,
    address: outcome.address,
    urlHash: hashOf(made.url),
    phasesMs: { ...outcome.phasesMs },
    responseBytes: outcome.responseBytes,
    bodyHead: outcome.bodyHead === '' ? undefined : outcome.bodyHead,
    nextAt: undefined,
    worker: made.worker,
    ...made.span,
  };
}

/** The URL itself may be a secret; its hash tells two of them apart. */
function hashOf(url: string): string {
  let hash = hashes.get(url);
  if (hash === undefined) {
    hash = createHash('sha256').update(url).digest('hex').slice(0, 16);
    if (hashes.size >= MOST_HASHES) hashes.clear();
    hashes.set(url, hash);
  }
  return hash;
}
