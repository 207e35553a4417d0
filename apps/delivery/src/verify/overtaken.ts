import type { Database } from '@tocsin/postgres';
import { deliveryKey } from '../ledger/records.js';
import { startsInPast } from '../shards/backlog.js';
import type { MatchedPart } from './matched-log.js';
import type { DeliveryFate } from './part-fates.js';
import { Findings, type PromiseCheck, type PromiseVerdict } from './promise.js';

/** So much later than its event a first attempt is looked at, milliseconds: a shard changes hands within 5 s, a hanging request ends after 15 s. */
const LATE_MS = 20_000;
/** A first attempt within this time is prompt, milliseconds; only counted. */
const PROMPT_MS = 1_000;
/** Late ones that are looked at. The rest of an installation in such trouble says the same. */
const MOST_LOOKED_AT = 200;

/** A delivery whose first attempt came late. */
interface Late {
  subscription: string;
  position: number;
  recordedAtMs: number;
  firstAtMs: number;
  /** Position of a later event that somebody else was told of long before. */
  overtakenBy?: number;
}

/**
 * Index: the primary key of attempt for its own ones; the days in question for those of others. `own`: the subscription's receiver was
 * failing, or busy with other events. `others`: somebody else's was failing meanwhile.
 */
const TROUBLES = `
  SELECT
    EXISTS (SELECT FROM delivery.attempt WHERE subscription = $1 AND started_at < to_timestamp($3) AND (
      (NOT delivered AND started_at > to_timestamp($2) - interval '15 minutes')
      OR (started_at > to_timestamp($2) AND started_at < to_timestamp($3) - interval '1 second'))) AS own,
    EXISTS (SELECT FROM delivery.attempt WHERE subscription <> $1 AND NOT delivered
      AND started_at > to_timestamp($2) - interval '1 minute' AND started_at < to_timestamp($3)) AS others`;

/**
 * Promise 3: nobody waits for somebody else's receiver. An event whose first attempt came late although its receiver was well and idle,
 * while another receiver was failing and others were being told of later events, has waited for that receiver. Subscriptions that
 * ask to wait (a rate, a beginning in the past), or were changed meanwhile, are not looked at.
 */
export class Overtaken implements PromiseCheck {
  readonly #findings = new Findings();
  #open: Late[] = [];
  readonly #overtaken: Late[] = [];
  #looked = 0;
  #first = 0;
  #prompt = 0;

  constructor(private readonly database: Pick<Database, 'query'>) {}

  take({ events, accepted }: MatchedPart, fates: ReadonlyMap<string, DeliveryFate>): void {
    for (const { event, revision } of accepted) {
      const firstAtMs = fates.get(deliveryKey(revision.name, event.position))?.firstAtMs;
      if (firstAtMs === undefined) continue;
      const recordedAtMs = Date.parse(event.recordedAt);
      const waitedMs = firstAtMs - recordedAtMs;
      this.#first += 1;
      if (waitedMs <= PROMPT_MS) this.#prompt += 1;
      this.#overtakes(revision.name, event.position, firstAtMs);
      const { spec, history } = revision;
      const asked = spec.rate !== undefined || history !== undefined || startsInPast(spec);
      if (waitedMs <= LATE_MS || asked || this.#looked >= MOST_LOOKED_AT) continue;
      this.#looked += 1;
      this.#open.push({ subscription: revision.name, position: event.position, recordedAtMs, firstAtMs });
    }
    const newest = events.at(-1);
    if (newest === undefined || this.#open.length === 0) return;
    const changed = new Map(events.map(({ subject, recordedAt }) => [subject, Date.parse(recordedAt)]));
    const newestMs = Date.parse(newest.recordedAt);
    this.#open = this.#open.filter(({ subscription, firstAtMs }) => {
      const changedMs = changed.get(`subscription/${subscription}`);
      return newestMs < firstAtMs - LATE_MS && !(changedMs !== undefined && changedMs < firstAtMs);
    });
  }

  async verdict(): Promise<PromiseVerdict> {
    for (const { subscription, position, recordedAtMs, firstAtMs, overtakenBy } of this.#overtaken) {
      const [row] = await this.database.query<{ own: boolean; others: boolean }>(TROUBLES, [
        ...[subscription, recordedAtMs / 1_000, firstAtMs / 1_000],
      ]);
      if (row?.own !== false || !row.others) continue;
      const waited = Math.round((firstAtMs - recordedAtMs) / 1_000);
      this.#findings.add(
        `${subscription} was told of event ${position} after ${waited} s, long after others of event ${overtakenBy}, while a receiver failed`,
      );
    }
    const share = this.#first === 0 ? '' : `, ${percent(this.#prompt / this.#first)} within ${PROMPT_MS / 1_000} s`;
    const checked = `first attempts: ${this.#first}${share}; looked into, being later than ${LATE_MS / 1_000} s: ${this.#looked}`;
    return this.#findings.verdict(3, checked);
  }

  #overtakes(subscription: string, position: number, atMs: number): void {
    if (this.#open.length === 0) return;
    this.#open = this.#open.filter((late) => {
      const before = late.subscription !== subscription && late.position < position && atMs < late.firstAtMs - LATE_MS;
      if (!before) return true;
      late.overtakenBy = position;
      this.#overtaken.push(late);
      return false;
    });
  }
}

function percent(share: number): string {
  // Never rounded up to all of them.
  return `${Math.floor(share * 1_000) / 10} %`;
}
