import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { TocsinError } from '@tocsin/domain';
import type { Logger } from '@tocsin/platform';
import type { Database } from '@tocsin/postgres';

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
}

/** A row of `delivery.pending`: unfinished when the checkpoint passed, or waiting for a retry. */
export interface PendingRecord {
  subscription: string;
  position: number;
  subject: string;
  attempts: number;
  nextAt: number;
  since: number;
}

/** A row of `delivery.dead`. */
export interface DeadRecord {
  subscription: string;
  position: number;
  attempts: number;
  reason: string;
  at: number;
}

/** A row of `delivery.parked`. */
export interface ParkedRecord {
  subscription: string;
  position: number;
  reason: string;
  since: number;
}

/** What a shard's new owner has to know. */
export interface ShardState {
  checkpoint: number;
  pending: PendingRecord[];
  parked: ParkedRecord[];
  /** `subscription|position` of what is settled past the checkpoint. */
  settled: Set<string>;
}

interface Batch {
  attempts: AttemptRecord[];
  /** By key; null deletes the row. */
  pending: Map<string, PendingRecord | null>;
  dead: DeadRecord[];
  /** By subscription; null deletes the row. */
  parked: Map<string, ParkedRecord | null>;
  committed: PromiseWithResolvers<void>;
}

/**
 * One round trip and one transaction for all that happened since the last one. Nothing is written unless this process still holds
 * the shard's epoch: an owner that was away too long cannot disturb the one that has taken over.
 * Index: the primary keys of shard, pending and parked.
 */
const FLUSH = `
  WITH fence AS (
    UPDATE delivery.shard SET checkpoint = greatest(checkpoint, $3) WHERE id = $1 AND epoch = $2 RETURNING id
  ), attempts AS (
    INSERT INTO delivery.attempt (subscription, position, shard, webhook_id, event_type, event_subject, number, started_at, delivered,
      outcome, status, error_class, detail, address, url_hash, phases_ms, response_bytes, body_head, next_at, worker, trace_id)
    SELECT a.subscription, a.position, fence.id, a."webhookId", a."eventType", a."eventSubject", a.number,
      to_timestamp(a."startedAt" / 1000.0), a.delivered, a.outcome, a.status, a."errorClass", a.detail, a.address, a."urlHash",
      a."phasesMs", a."responseBytes", a."bodyHead", to_timestamp(a."nextAt" / 1000.0), a.worker, a."traceId"
    FROM fence, jsonb_to_recordset($4::jsonb) AS a(subscription text, position bigint, "webhookId" text, "eventType" text,
      "eventSubject" text, number int, "startedAt" float8, delivered boolean, outcome text, status int, "errorClass" text, detail text,
      address text, "urlHash" text, "phasesMs" jsonb, "responseBytes" int, "bodyHead" text, "nextAt" float8, worker text, "traceId" text)
    ON CONFLICT DO NOTHING
  ), kept AS (
    INSERT INTO delivery.pending (subscription, position, shard, subject, attempts, next_at, since)
    SELECT p.subscription, p.position, fence.id, p.subject, p.attempts, to_timestamp(p."nextAt" / 1000.0), to_timestamp(p.since / 1000.0)
    FROM fence, jsonb_to_recordset($5::jsonb)
      AS p(subscription text, position bigint, subject text, attempts int, "nextAt" float8, since float8)
    ON CONFLICT (subscription, position) DO UPDATE SET attempts = excluded.attempts, next_at = excluded.next_at
  ), gone AS (
    DELETE FROM delivery.pending USING fence, unnest($6::text[], $7::bigint[]) AS g(subscription, position)
    WHERE pending.subscription = g.subscription AND pending.position = g.position
  ), died AS (
    INSERT INTO delivery.dead (subscription, position, shard, attempts, reason, at)
    SELECT d.subscription, d.position, fence.id, d.attempts, d.reason, to_timestamp(d.at / 1000.0)
    FROM fence, jsonb_to_recordset($8::jsonb) AS d(subscription text, position bigint, attempts int, reason text, at float8)
    ON CONFLICT DO NOTHING
  ), held AS (
    INSERT INTO delivery.parked (subscription, shard, position, reason, since)
    SELECT h.subscription, fence.id, h.position, h.reason, to_timestamp(h.since / 1000.0)
    FROM fence, jsonb_to_recordset($9::jsonb) AS h(subscription text, position bigint, reason text, since float8)
    ON CONFLICT (subscription) DO UPDATE SET position = excluded.position, reason = excluded.reason
  ), released AS (
    DELETE FROM delivery.parked USING fence WHERE parked.subscription = ANY ($10::text[])
  )
  SELECT count(*) AS held FROM fence`;

/** How long a change of nothing but the checkpoint may wait, milliseconds: it only saves reading again after a crash. */
const CHECKPOINT_DELAY_MS = 500;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;

/** The key of a delivery within its ledger. */
export function deliveryKey(subscription: string, position: number): string {
  return `${subscription}|${position}`;
}

/**
 * Writes what happens in one shard, in batches: while one is on its way the next gathers, no timer delays an outcome. A batch that
 * could not be written is tried again until it is, or until the shard turns out to belong to somebody else.
 */
export class ShardLedger {
  #batch = emptyBatch();
  #written = 0;
  #flushing = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly shard: number,
    private readonly epoch: number,
    private readonly options: {
      logger: Logger;
      /**
       * Called at the moment a batch is closed: the position up to which everything is settled or has a row once the batch is
       * written. May still add rows to this batch.
       */
      checkpointNow: () => number;
      onFenced: () => void;
    },
  ) {}

  /** What the shard's rows say. Call once, before anything is recorded. */
  async load(): Promise<ShardState> {
    return this.database.transaction(async (tx) => {
      const [shard] = await tx.query<{ checkpoint: number }>('SELECT checkpoint FROM delivery.shard WHERE id = $1', [
        this.shard,
      ]);
      const checkpoint = shard?.checkpoint ?? 0;
      this.#written = checkpoint;
      const pending = await tx.query<PendingRecord>(
        `SELECT subscription, position, subject, attempts, (extract(epoch FROM next_at) * 1000)::float8 AS "nextAt",
           (extract(epoch FROM since) * 1000)::float8 AS since
         FROM delivery.pending WHERE shard = $1 ORDER BY position`,
        [this.shard],
      );
      const parked = await tx.query<ParkedRecord>(
        `SELECT subscription, position, reason, (extract(epoch FROM since) * 1000)::float8 AS since
         FROM delivery.parked WHERE shard = $1`,
        [this.shard],
      );
      const settled = await tx.query<{ subscription: string; position: number }>(
        `SELECT subscription, position FROM delivery.attempt WHERE shard = $1 AND position > $2 AND delivered
         UNION ALL SELECT subscription, position FROM delivery.dead WHERE shard = $1 AND position > $2
         UNION ALL SELECT subscription, position FROM delivery.pending WHERE shard = $1 AND position > $2`,
        [this.shard, checkpoint],
      );
      return {
        checkpoint,
        pending,
        parked,
        settled: new Set(settled.map((row) => deliveryKey(row.subscription, row.position))),
      };
    });
  }

  /** Records an attempt; resolves once it is committed. */
  attempt(record: AttemptRecord): Promise<void> {
    this.#batch.attempts.push({ ...record, detail: storable(record.detail), bodyHead: storable(record.bodyHead) });
    return this.#changed();
  }

  /** Makes or changes a row of `pending`; null takes it away. Resolves once it is committed. */
  pending(subscription: string, position: number, record: PendingRecord | null): Promise<void> {
    this.#batch.pending.set(deliveryKey(subscription, position), record === null ? null : plainPending(record));
    return this.#changed();
  }

  /** Gives a delivery up. Resolves once it is committed. */
  dead(record: DeadRecord): Promise<void> {
    this.#batch.dead.push(record);
    return this.#changed();
  }

  /** Parks a subscription at a position; null releases it. Resolves once it is committed. */
  parked(subscription: string, record: ParkedRecord | null): Promise<void> {
    this.#batch.parked.set(subscription, record);
    return this.#changed();
  }

  /** The checkpoint may have moved: written soon, with whatever else there is. */
  checkpointMoved(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, CHECKPOINT_DELAY_MS);
    this.#timer.unref();
  }

  /** Writes what is left, at most for `timeoutMs`, and takes no more. */
  async close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#start();
    if (this.#flushing) {
      this.#idle = Promise.withResolvers<void>();
      const deadline = AbortSignal.timeout(Math.ceil(timeoutMs));
      deadline.addEventListener('abort', () => this.#idle?.resolve(), { once: true });
      await this.#idle.promise;
    }
    this.#giveUp();
  }

  /** Nothing more is written; whoever waits for a commit learns that this process no longer decides. */
  #giveUp(): void {
    this.#stopped = true;
    this.#batch.committed.reject(
      new TocsinError('TCN_FENCED', `shard ${this.shard} is no longer held by this process`),
    );
  }

  #changed(): Promise<void> {
    const { promise } = this.#batch.committed;
    this.#start();
    return promise;
  }

  #start(): void {
    if (this.#flushing || this.#stopped) return;
    this.#flushing = true;
    // After the present turn, so that everything one event or one answer causes goes into one batch.
    queueMicrotask(() => {
      this.#flushAll().finally(() => {
        this.#flushing = false;
        this.#idle?.resolve();
      });
    });
  }

  async #flushAll(): Promise<void> {
    while (!this.#stopped) {
      const checkpoint = this.options.checkpointNow();
      const batch = this.#batch;
      const empty = batch.attempts.length + batch.pending.size + batch.dead.length + batch.parked.size === 0;
      if (empty && checkpoint <= this.#written) return;
      this.#batch = emptyBatch();
      await this.#write(batch, checkpoint);
    }
  }

  async #write(batch: Batch, checkpoint: number): Promise<void> {
    const pending = [...batch.pending.entries()];
    const gone = pending.filter(([, record]) => record === null).map(([key]) => key);
    const parked = [...batch.parked.entries()];
    const parameters = [
      this.shard,
      this.epoch,
      checkpoint,
      JSON.stringify(batch.attempts),
      JSON.stringify(pending.flatMap(([, record]) => record ?? [])),
      gone.map((key) => key.slice(0, key.lastIndexOf('|'))),
      gone.map((key) => Number(key.slice(key.lastIndexOf('|') + 1))),
      JSON.stringify(batch.dead),
      JSON.stringify(parked.flatMap(([, record]) => record ?? [])),
      parked.filter(([, record]) => record === null).map(([subscription]) => subscription),
    ];
    for (let wait = RETRY_MIN_MS; !this.#stopped; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      try {
        const [row] = await this.database.query<{ held: number }>(FLUSH, parameters);
        if (Number(row?.held) === 0) {
          batch.committed.reject(new TocsinError('TCN_FENCED', `shard ${this.shard} was taken over`));
          this.#giveUp();
          this.options.onFenced();
          return;
        }
        this.#written = Math.max(this.#written, checkpoint);
        batch.committed.resolve();
        return;
      } catch (error) {
        this.options.logger.warn(
          { err: error, shard: this.shard, retryInMs: wait },
          'ledger batch not written, trying again',
        );
        await setTimeoutAsync(wait);
      }
    }
    batch.committed.reject(
      new TocsinError('TCN_FENCED', `shard ${this.shard} was given up before the batch was written`),
    );
  }
}

function emptyBatch(): Batch {
  const committed = Promise.withResolvers<void>();
  // Most batches are waited for by somebody; one that nobody waits for may be given up without a word.
  committed.promise.catch(() => undefined);
  return { attempts: [], pending: new Map(), dead: [], parked: new Map(), committed };
}

/** Text as Postgres takes it: what a receiver answered may hold NUL and halves of surrogate pairs. */
function storable(text: string | undefined): string | undefined {
  return text?.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** The row's own fields: callers pass deliveries, which carry whole events. */
function plainPending({ subscription, position, subject, attempts, nextAt, since }: PendingRecord): PendingRecord {
  return { subscription, position, subject, attempts, nextAt, since };
}
