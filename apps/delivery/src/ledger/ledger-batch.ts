import {
  type AnnouncementRecord,
  type AttemptRecord,
  type DeadRecord,
  deliveryKey,
  type EndpointRecord,
  type ParkedRecord,
  type PendingRecord,
  type ReplayRecord,
  type SupersededRecord,
} from './records.js';

/** A row by its key; null takes it away. */
type Rows<Row> = ReadonlyMap<string, Row | null>;

/** The rows of a batch. Those with a key of two parts have the one of {@link deliveryKey}. */
export interface LedgerContents {
  attempts: readonly AttemptRecord[];
  pending: Rows<PendingRecord>;
  dead: ReadonlyMap<string, DeadRecord>;
  /** Keys of what is no longer dead. */
  revived: ReadonlySet<string>;
  /** By subscription. */
  parked: Rows<ParkedRecord>;
  endpoints: Rows<EndpointRecord>;
  superseded: ReadonlyMap<string, SupersededRecord>;
  announcements: readonly AnnouncementRecord[];
  /** Ids of announcements that are in the log. */
  announced: readonly string[];
  replays: Rows<ReplayRecord>;
}

/** All that happened in a shard since the last write; becomes one statement, with what happened in others. */
export class LedgerBatch {
  readonly committed = Promise.withResolvers<void>();
  readonly #attempts: AttemptRecord[] = [];
  readonly #pending = new Map<string, PendingRecord | null>();
  readonly #dead = new Map<string, DeadRecord>();
  readonly #revived = new Set<string>();
  readonly #parked = new Map<string, ParkedRecord | null>();
  readonly #endpoints = new Map<string, EndpointRecord | null>();
  readonly #superseded = new Map<string, SupersededRecord>();
  readonly #announcements: AnnouncementRecord[] = [];
  readonly #announced: string[] = [];
  readonly #replays = new Map<string, ReplayRecord | null>();
  #entries = 0;

  constructor() {
    // Most batches are waited for by somebody; one that nobody waits for may be given up without a word.
    this.committed.promise.catch(() => undefined);
  }

  get empty(): boolean {
    return this.#entries === 0;
  }

  attempt(record: AttemptRecord): void {
    this.#entries += 1;
    this.#attempts.push({
      ...record,
      eventType: storable(record.eventType),
      eventSubject: storable(record.eventSubject),
      detail: storable(record.detail),
      bodyHead: storable(record.bodyHead),
    });
  }

  pending(subscription: string, position: number, record: PendingRecord | null): void {
    this.#entries += 1;
    this.#pending.set(deliveryKey(subscription, position), record === null ? null : plainPending(record));
  }

  dead(record: DeadRecord): void {
    this.#entries += 1;
    const subject = storable(record.subject);
    this.#dead.set(deliveryKey(record.subscription, record.position), { ...record, subject });
  }

  /** What was given up is owed again. */
  revive(subscription: string, position: number): void {
    this.#entries += 1;
    this.#revived.add(deliveryKey(subscription, position));
  }

  parked(subscription: string, record: ParkedRecord | null): void {
    this.#entries += 1;
    this.#parked.set(subscription, record);
  }

  endpoint(subscription: string, record: EndpointRecord | null): void {
    this.#entries += 1;
    this.#endpoints.set(subscription, record);
  }

  superseded(record: SupersededRecord): void {
    this.#entries += 1;
    const key = JSON.stringify([record.subscription, record.subject, record.by]);
    const known = this.#superseded.get(key);
    this.#superseded.set(
      key,
      known === undefined
        ? { ...record, subject: storable(record.subject) }
        : { ...known, first: Math.min(known.first, record.first), events: known.events + record.events },
    );
  }

  announcement(record: AnnouncementRecord): void {
    this.#entries += 1;
    this.#announcements.push(record);
  }

  announced(id: string): void {
    this.#entries += 1;
    this.#announced.push(id);
  }

  replay(subscription: string, position: number, record: ReplayRecord | null): void {
    this.#entries += 1;
    this.#replays.set(deliveryKey(subscription, position), record);
  }

  /** Leaves out what is only there to be read by people: a receiver's text that no column takes must not hold up the ledger. */
  strip(): void {
    for (const attempt of this.#attempts) {
      Object.assign(attempt, { detail: undefined, bodyHead: undefined, address: undefined, phasesMs: {} });
    }
  }

  /** Leaves out the attempts altogether, and returns them. */
  dropAttempts(): AttemptRecord[] {
    return this.#attempts.splice(0);
  }

  /** What is in it, by kind of row. */
  get contents(): LedgerContents {
    return {
      attempts: this.#attempts,
      pending: this.#pending,
      dead: this.#dead,
      revived: new Set([...this.#revived].filter((key) => !this.#dead.has(key))),
      parked: this.#parked,
      endpoints: this.#endpoints,
      superseded: this.#superseded,
      announcements: this.#announcements,
      announced: this.#announced,
      replays: this.#replays,
    };
  }
}

/** Text as Postgres takes it: what a receiver answered may hold NUL and halves of surrogate pairs. */
function storable<Text extends string | undefined>(text: Text): Text {
  // Nearly all text is fit, and finding that out is cheaper than a copy.
  if (text === undefined || (text.isWellFormed() && !text.includes('\u0000'))) return text;
  return text.toWellFormed().replaceAll('\u0000', '\ufffd') as Text;
}

/** The row's own fields: callers pass deliveries, which carry whole events. */
function plainPending({ subscription, position, subject, attempts, nextAt, since, replay }: PendingRecord) {
  return { subscription, position, subject: storable(subject), attempts, nextAt, since, replay };
}
