import { healthEventDataSchema, HEALTH_PROBE_SOURCE, STATE_TYPES } from '@tocsin/contracts';
import { isWithheld, WITHHELD } from '@tocsin/domain';
import type { Database } from '@tocsin/postgres';
import { deliveryId } from '../ledger/delivery-id.js';
import { NOT_RENDERED } from '../send/attempt-sender.js';
import type { MatchedPart } from './matched-log.js';
import { Findings, type PromiseCheck, type PromiseVerdict } from './promise.js';

const PAGE = 5_000;

/** Index: the primary key. The time as text: Postgres knows more digits of it than we do. */
const ATTEMPTS = `
  SELECT subscription, position, number, started_at::text AS at, status IS NULL AND error_class IS NULL AS mute
  FROM delivery.attempt WHERE (subscription, position, number, started_at) > ($1, $2, $3, $4::timestamptz)
  ORDER BY subscription, position, number, started_at LIMIT ${PAGE}`;

/**
 * Index: the primary key of attempt. A row and the attempt that made it are written in one statement; what could not be put into words was
 * never sent.
 */
const ROWS_WITHOUT_ATTEMPT = `
  SELECT subscription, position, attempts FROM (
    SELECT subscription, position, attempts FROM delivery.pending
    UNION ALL SELECT subscription, position, attempts FROM delivery.dead WHERE reason <> '${NOT_RENDERED}'
  ) AS kept
  WHERE attempts > 0 AND NOT EXISTS (
    SELECT FROM delivery.attempt AS made
    WHERE made.subscription = kept.subscription AND made.position = kept.position AND made.number = kept.attempts)
  ORDER BY position LIMIT 1000`;

interface AttemptRow {
  subscription: string;
  position: number;
  number: number;
  at: string;
  mute: boolean;
}

/**
 * Promise 5: every answer can be explained. What was kept back says why and what is known instead; every attempt is there, numbered
 * without a gap, says how it was answered, and is of an event that the log has.
 */
export class Explained implements PromiseCheck {
  readonly #findings = new Findings();
  #withheld = 0;
  #attempts = 0;
  #deliveries = 0;
  #furthest = { delivery: '', position: 0 };

  constructor(
    private readonly database: Pick<Database, 'query'>,
    /** Last position of the log. */
    private readonly head: () => Promise<number>,
  ) {}

  take({ events }: MatchedPart): void {
    for (const event of events) {
      if (event.source !== HEALTH_PROBE_SOURCE || !isWithheld(event)) continue;
      this.#withheld += 1;
      // Only a change of state leaves subscribers with another one; what else is kept back is there to be compared with.
      const told =
        !STATE_TYPES.includes(event.type) || healthEventDataSchema.safeParse(event.data).data?.told !== undefined;
      if (told && event.extensions[WITHHELD] !== '') continue;
      this.#findings.add(
        `event ${event.position}, ${event.subject}: kept back without a word on what is known instead`,
      );
    }
  }

  async verdict(): Promise<PromiseVerdict> {
    await this.#numbered();
    // Asked now: what was recorded since the check began may have been told already.
    if (this.#furthest.position > (await this.head())) {
      this.#findings.add(`${this.#furthest.delivery}: was attempted, and the log has no such event`);
    }
    const rows = await this.database.query<Omit<AttemptRow, 'at'> & { attempts: number }>(ROWS_WITHOUT_ATTEMPT);
    for (const { subscription, position, attempts } of rows) {
      this.#findings.add(`delivery ${deliveryId(position, subscription)}: attempt ${attempts} is missing`);
    }
    const checked =
      `attempts: ${this.#attempts}, of deliveries: ${this.#deliveries}, each with its answer; ` +
      `changes kept back: ${this.#withheld}, each with its reason`;
    return this.#findings.verdict(5, checked);
  }

  /** Every attempt there is, in the order of its key; one page in memory. */
  async #numbered(): Promise<void> {
    let last: AttemptRow = { subscription: '', position: 0, number: 0, at: '-infinity', mute: false };
    for (;;) {
      const rows = await this.database.query<AttemptRow>(ATTEMPTS, [
        ...[last.subscription, last.position, last.number, last.at],
      ]);
      for (const row of rows) {
        this.#judge(row, last);
        last = row;
      }
      if (rows.length < PAGE) return;
    }
  }

  #judge({ subscription, position, number, mute }: AttemptRow, last: AttemptRow): void {
    const same = last.subscription === subscription && last.position === position;
    const delivery = `delivery ${deliveryId(position, subscription)}`;
    this.#attempts += 1;
    if (!same) this.#deliveries += 1;
    // Asked for again by hand, or replayed, it is counted from one again.
    if (number > (same ? last.number : 0) + 1) {
      this.#findings.add(`${delivery}: there is an attempt ${number}, and none before it`);
    }
    if (mute) this.#findings.add(`${delivery}: attempt ${number} does not say how it was answered`);
    if (position > this.#furthest.position) this.#furthest = { delivery, position };
  }
}
