import type { Database } from '@tocsin/postgres';
import type { LogSource } from '../match/log-source.js';
import { Explained } from './explained.js';
import { matchedLog } from './matched-log.js';
import { OutagesEnd } from './outages-end.js';
import { Overtaken } from './overtaken.js';
import { partFates } from './part-fates.js';
import type { PromiseCheck, PromiseVerdict } from './promise.js';
import { SickObservers } from './sick-observers.js';
import { countIn, type DeliveryAudit, openAudit, settledUpTo } from './verify-deliveries.js';

/** A step of the proof, or its end. */
export type PromiseLine =
  | { done?: undefined; position: number; upTo: number }
  | {
      done: true;
      ok: boolean;
      /** Last position that was looked at: beyond the checkpoints some deliveries are under way. */
      upTo: number;
      promises: PromiseVerdict[];
    };

/** What the proof reads. Nothing is written. */
export interface PromiseSources {
  database: Pick<Database, 'query' | 'transaction'>;
  log: Pick<LogSource, 'read'>;
  shards: number;
}

/**
 * Checks the promises against the log and the ledger, in one reading of the log. Of the first only what concerns deliveries: that the log
 * itself is whole is proved where it is kept.
 * @param signal ends it early; its reason is thrown
 * @throws TocsinError `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where the log or the ledger cannot be read
 */
export async function* verifyPromises(
  { database, log, shards }: PromiseSources,
  signal?: AbortSignal,
): AsyncGenerator<PromiseLine, void, void> {
  const upTo = await settledUpTo(database);
  const audit = openAudit(upTo);
  const head = async (): Promise<number> => (await log.read({ after: 0, limit: 1 })).head;
  const told: PromiseCheck = {
    take: (part, fates) => countIn(audit, part, fates),
    verdict: () => toldVerdict(audit),
  };
  const checks = [told, new OutagesEnd(), new Overtaken(database), new SickObservers(), new Explained(database, head)];
  for await (const part of matchedLog(log, shards, { after: 0, upTo })) {
    signal?.throwIfAborted();
    const fates = await partFates(database, part.accepted);
    for (const check of checks) check.take(part, fates);
    yield { position: part.position, upTo };
  }
  const promises: PromiseVerdict[] = [];
  for (const check of checks) promises.push(await check.verdict());
  yield { done: true, ok: promises.every(({ ok }) => ok), upTo, promises };
}

/** Everything that had to be told was told, or has a place where it waits or was put. */
function toldVerdict({ accepted, events, missing, missingCount, ...fates }: DeliveryAudit): PromiseVerdict {
  const parts = (['delivered', 'pending', 'parked', 'superseded', 'dead'] as const).map(
    (fate) => `${fates[fate]} ${fate}`,
  );
  return {
    promise: 1,
    ok: missingCount === 0,
    checked: `events: ${events}, to be told: ${accepted} = ${parts.join(' + ')}`,
    findings: missing.slice(0, 20).map((id) => `delivery ${id}: the ledger knows nothing of it`),
    findingCount: missingCount,
  };
}
