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
import { FLUSH_PARTS, type FlushPart } from './flush-parts.js';

/** A row by its key; null takes it away. */
type Rows<Row> = Map<string, Row | null>;

/** All that happened in a shard since the last write; becomes one statement. */
export class LedgerBatch {
  readonly committed = Promise.withResolvers<void>();
  readonly #attempts: AttemptRecord[] = [];
  readonly #pending: Rows<PendingRecord> = new Map();
  readonly #dead = new Map<string, DeadRecord>();
  readonly #revived = new Set<string>();
  readonly #parked: Rows<ParkedRecord> = new Map();
  readonly #endpoints: Rows<EndpointRecord> = new Map();
  readonly #superseded = new Map<string, SupersededRecord>();
  readonly #announcements: AnnouncementRecord[] = [];
  readonly #announced: string[] = [];
  readonly #replays: Rows<ReplayRecord> = new Map();
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

  /** The statement that writes all of it, with nothing in it for what did not happen: most batches are attempts alone. */
  statement(shard: number, epoch: number, checkpoint: number): { sql: string; parameters: unknown[] } {
    const parameters: unknown[] = [shard, epoch, checkpoint];
    const clauses: string[] = [];
    const part = (name: FlushPart, ...values: unknown[]): void => {
      const clause: (...parameters: string[]) => string = FLUSH_PARTS[name];
      clauses.push(clause(...values.map((value) => `$${parameters.push(value)}`)));
    };
    const puts = <Row>(name: FlushPart, rows: Iterable<Row | null>): void => {
      const list = [...rows].filter((row) => row !== null);
      if (list.length > 0) part(name, JSON.stringify(list));
    };
    const drops = (name: FlushPart, rows: Rows<unknown> | Set<string>): void => {
      const keys = rows instanceof Set ? [...rows] : [...rows].filter(([, row]) => row === null).map(([key]) => key);
      if (keys.length === 0) return;
      part(name, keys.map(subscriptionOf), keys.map(positionOf));
    };
    const dropsByName = (name: FlushPart, rows: Rows<unknown>): void => {
      const names = [...rows].filter(([, row]) => row === null).map(([key]) => key);
      if (names.length > 0) part(name, names);
    };
    puts('attempts', this.#attempts);
    puts('kept', this.#pending.values());
    drops('gone', this.#pending);
    puts('died', this.#dead.values());
    drops('revived', new Set([...this.#revived].filter((key) => !this.#dead.has(key))));
    puts('held', this.#parked.values());
    dropsByName('released', this.#parked);
    puts('endpoints', this.#endpoints.values());
    dropsByName('forgotten', this.#endpoints);
    puts('superseded', this.#superseded.values());
    puts('announcements', this.#announcements);
    if (this.#announced.length > 0) part('announced', this.#announced);
    puts('replays', this.#replays.values());
    drops('replayed', this.#replays);
    return { sql: [FLUSH_PARTS.fence(), ...clauses].join(',\n') + FLUSH_PARTS.held_fence(), parameters };
  }
}

function subscriptionOf(key: string): string {
  return key.slice(0, key.lastIndexOf('|'));
}

function positionOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('|') + 1));
}

/** Text as Postgres takes it: what a receiver answered may hold NUL and halves of surrogate pairs. */
function storable<Text extends string | undefined>(text: Text): Text {
  return text?.toWellFormed().replaceAll('\u0000', '\ufffd') as Text;
}

/** The row's own fields: callers pass deliveries, which carry whole events. */
function plainPending({ subscription, position, subject, attempts, nextAt, since, replay }: PendingRecord) {
  return { subscription, position, subject: storable(subject), attempts, nextAt, since, replay };
}
