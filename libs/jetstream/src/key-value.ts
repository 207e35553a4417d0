import { TocsinError } from '@tocsin/domain';
import { DeliverPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { Kvm, type KV, type KvOptions } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';
import { API_ERROR, brokerError, isApiError } from './broker-error.js';
import { parseJson } from './envelope.js';
import { watchBucket, type Watch, type WatchOptions } from './key-value-watch.js';
import type { Link } from './link.js';
import { StreamReader } from './stream-reader.js';
import { escapeToken, unescapeToken } from './token.js';

export interface KeyValueOptions {
  /** Entries vanish so long after they were put, milliseconds, at least 1000; watchers see that as a deletion. Default: never. */
  ttlMs?: number;
  /** Copies in the cluster. Default 1. */
  replicas?: number;
  /** Default `file`. */
  storage?: 'file' | 'memory';
  description?: string;
}

/** What stands under a key. */
export interface KeyValueEntry {
  key: string;
  /** Any JSON value. */
  value: unknown;
  /** Rises with each change in the bucket; for compare-and-set. */
  revision: number;
}

const PLAIN = /^[A-Za-z0-9_/-]+$/;
/** The least the server takes for the life of the markers that tell watchers of an expired entry. */
const MARKER_TTL_MS = 1_000;
/** The least the server takes. */
const DUPLICATE_WINDOW_MS = 100;
const SNAPSHOT_IDLE_MS = 5_000;

/**
 * A key-value bucket of JSON values. A bucket that has been lost with the broker's store is made anew, empty: whoever owns what stands
 * in it learns of that by its watch and puts it back. Keys may hold any character (others than `A-Za-z0-9_/-` travel as `=XX`).
 */
export class KeyValue {
  readonly #link: Link;
  readonly #bucket: string;
  readonly #options: KeyValueOptions;
  #kv: KV | undefined;

  private constructor(link: Link, bucket: string, options: KeyValueOptions) {
    this.#link = link;
    this.#bucket = bucket;
    this.#options = options;
  }

  /** Opens `bucket`, creating it where it is missing. */
  static async open(link: Link, bucket: string, options: KeyValueOptions): Promise<KeyValue> {
    const opened = new KeyValue(link, bucket, options);
    await opened.#ensure();
    return opened;
  }

  /** What stands under `key`, if anything. */
  async get(key: string): Promise<KeyValueEntry | undefined> {
    const entry = await this.#do('read', (kv) => kv.get(encodeKey(key)));
    if (entry === null || entry.operation !== 'PUT') return undefined;
    return { key, value: parseJson(entry.value), revision: entry.revision };
  }

  /**
   * Puts `value` under `key`; with `revision` only if the entry is at it (0: only if there is none).
   * @returns the new revision
   * @throws TocsinError `TCN_PRECONDITION_FAILED` if the entry is not at `revision`
   */
  async put(key: string, value: unknown, options: { revision?: number } = {}): Promise<number> {
    const name = encodeKey(key);
    const json = JSON.stringify(value);
    const { revision } = options;
    return this.#do(`write "${key}" in`, (kv) => {
      if (revision === undefined) return kv.put(name, json);
      return revision === 0 ? kv.create(name, json) : kv.update(name, json, revision);
    });
  }

  /**
   * Deletes what stands under `key`, if anything; with `revision` only if the entry is at it.
   * @throws TocsinError `TCN_PRECONDITION_FAILED` if the entry is not at `revision`
   */
  async delete(key: string, options: { revision?: number } = {}): Promise<void> {
    const previous = options.revision === undefined ? {} : { previousSeq: options.revision };
    await this.#do(`delete "${key}" in`, (kv) => kv.delete(encodeKey(key), previous));
  }

  /** Keys that hold something, sorted. */
  async keys(): Promise<string[]> {
    await this.#do('list', (kv) => kv.status());
    const signal = new AbortController().signal;
    const reader = await StreamReader.open(
      this.#link,
      streamOf(this.#bucket),
      { ...this.#lastOfEachKey(), headers_only: true },
      signal,
    );
    const keys: string[] = [];
    try {
      for (let left = reader.initialPending; left > 0;) {
        const messages = await reader.take(left, Number.POSITIVE_INFINITY, SNAPSHOT_IDLE_MS);
        if (messages.length === 0) throw new TocsinError('TCN_TIMEOUT', `bucket ${this.#bucket} could not be listed`);
        left -= messages.length;
        for (const message of messages) {
          const key = keyOf(this.#bucket, message.subject);
          if (key !== undefined && !isRemoval(message.headers)) keys.push(key);
        }
      }
    } finally {
      reader.close();
    }
    return keys.sort();
  }

  /**
   * Tells of every entry, then of every change, in order, one call at a time, until closed. Survives the loss of connection and bucket:
   * then `onReset` is called and everything that is there is told again.
   */
  watch(options: WatchOptions): Watch {
    const bucket = this.#bucket;
    return watchBucket(options, {
      link: this.#link,
      open: async (signal) => {
        await this.#ensure();
        return StreamReader.open(this.#link, streamOf(bucket), this.#lastOfEachKey(), signal);
      },
      changeIn: (message) => {
        const key = keyOf(bucket, message.subject);
        if (key === undefined) return undefined;
        if (isRemoval(message.headers)) return { kind: 'delete', key };
        return { kind: 'put', entry: { key, value: parseJson(message.data), revision: message.sequence } };
      },
    });
  }

  /** Does `work`, once more on a new bucket where the bucket is gone. */
  async #do<T>(doing: string, work: (kv: KV) => Promise<T>): Promise<T> {
    try {
      const kv = this.#kv ?? (await this.#ensure());
      try {
        return await this.#link.guard(work(kv));
      } catch (error) {
        if (isApiError(error, API_ERROR.wrongLastSequence)) throw error;
        if (!(await this.#isGone())) throw error;
        return await this.#link.guard(work(await this.#ensure()));
      }
    } catch (error) {
      if (isApiError(error, API_ERROR.wrongLastSequence)) {
        const detail = `bucket ${this.#bucket}: the entry is not at the revision given`;
        throw new TocsinError('TCN_PRECONDITION_FAILED', detail, { cause: error });
      }
      throw brokerError(`${doing} bucket ${this.#bucket}`, error);
    }
  }

  /** Brings a bucket made with other settings to those given here; what is not given stays as it is. */
  async #align(): Promise<void> {
    const { streams } = this.#link.manager;
    const { config } = await this.#link.guard(streams.info(streamOf(this.#bucket)));
    const { ttlMs, replicas } = this.#options;
    const change: Partial<StreamConfig> = {
      ...(replicas === undefined || replicas === config.num_replicas ? {} : { num_replicas: replicas }),
      ...(ttlMs === undefined || nanos(ttlMs) === config.max_age ? {} : lifeSpan(ttlMs)),
    };
    if (Object.keys(change).length === 0) return;
    await this.#link.guard(streams.update(streamOf(this.#bucket), { ...config, ...change }));
  }

  #lastOfEachKey() {
    return { deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: `$KV.${this.#bucket}.>` };
  }

  async #isGone(): Promise<boolean> {
    try {
      await this.#link.guard(this.#link.manager.streams.info(streamOf(this.#bucket)));
      return false;
    } catch (error) {
      return isApiError(error, API_ERROR.streamNotFound);
    }
  }

  async #ensure(): Promise<KV> {
    const { ttlMs, replicas, storage, description } = this.#options;
    const options: Partial<KvOptions> = {
      history: 1,
      replicas: replicas ?? 1,
      storage: storage === 'memory' ? StorageType.Memory : StorageType.File,
      ...(ttlMs === undefined ? {} : { ttl: ttlMs, markerTTL: MARKER_TTL_MS }),
      ...(description === undefined ? {} : { description }),
    };
    try {
      const kv = await this.#link.guard(new Kvm(this.#link.nats).create(this.#bucket, options));
      await this.#align();
      this.#kv = kv;
      return kv;
    } catch (error) {
      throw brokerError(`open bucket ${this.#bucket}`, error);
    }
  }
}

/** Stream settings for entries that vanish, and markers that tell watchers of it. */
function lifeSpan(ttlMs: number): Partial<StreamConfig> {
  return {
    max_age: nanos(ttlMs),
    // Not used, but the server wants it no longer than the life span.
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_msg_ttl: true,
    subject_delete_marker_ttl: nanos(MARKER_TTL_MS),
  };
}

function streamOf(bucket: string): string {
  return `KV_${bucket}`;
}

function encodeKey(key: string): string {
  if (key === '') throw new TocsinError('TCN_INVALID', 'a key cannot be empty');
  return escapeToken(key, '=', PLAIN);
}

function keyOf(bucket: string, subject: string): string | undefined {
  return unescapeToken(subject.slice(`$KV.${bucket}.`.length), '=');
}

/** Deletions carry an operation; expiries are marked by the server itself. */
function isRemoval(headers: { get(name: string): string; has(name: string): boolean } | undefined): boolean {
  if (headers === undefined) return false;
  return ['DEL', 'PURGE'].includes(headers.get('KV-Operation')) || headers.has('Nats-Marker-Reason');
}
