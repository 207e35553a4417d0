import { HEALTH_PROBE_SOURCE, RPC } from '@tocsin/contracts';
import { freePort, type NatsServer, type PostgresServer, startNats, startPostgres } from '@tocsin/embedded';
import { ProcessGroup } from '@tocsin/testing';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { Pool } from 'undici';
import type { Send } from './load.js';
import { NatsAsker } from './nats-asker.js';

const ROOT = resolve(import.meta.dirname, '../..');
const API_KEY = 'bench-key-0123456789-0123456789-0123456789';

/** What the log answers to an append. */
type Answer = { ok: true } | { ok: false; error: { code: string; detail: string } };

/** An event, its data and extensions spelled. */
export interface BenchEvent {
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: string;
  extensionsJson: string;
  dataJson: string;
}

/** Targets the events are about. */
const TARGETS = 5_000;

let made = 0;

/**
 * An event as an observer writes it. It is spelled by a template, for the raw baseline and for the service alike: what making events costs is
 * taken from what is measured, which shares the machine.
 */
export function observersEvent(): BenchEvent {
  const change = changeOfTarget('io.tocsin.node');
  const uuid = uuidv7Of(made);
  return {
    ...change,
    id: `evt_${uuid}`,
    source: HEALTH_PROBE_SOURCE,
    extensionsJson: `{"episode":"ep_${uuid}"}`,
  };
}

/** The same as somebody else says it. His ids are not ours: the key by which receivers deduplicate is derived, and has an index. */
export function producersEvent(): BenchEvent {
  const change = changeOfTarget('com.acme.node');
  return { ...change, id: `bench_${process.pid}_${made}`, source: 'urn:bench', extensionsJson: '{}' };
}

function changeOfTarget(prefix: string): Omit<BenchEvent, 'id' | 'source' | 'extensionsJson'> {
  made += 1;
  const name = `edge-${made % TARGETS}`;
  const time = new Date().toISOString();
  const fact = made % 1_000 === 0 ? 'degraded' : made % 2 === 0 ? 'online' : 'offline';
  return {
    type: `${prefix}.${fact}`,
    subject: `node/${name}`,
    time,
    datacontenttype: 'application/json',
    dataJson:
      `{"target":"${name}","kind":"node","labels":{"site":"fra","role":"edge"},"from":"up","to":"down",` +
      `"reason":"connection refused by two observers","confidence":"quorum","evidence":[{"observer":"obs-1",` +
      `"at":"${time}","outcome":"fail","phase":"connect","durationMs":3.2}],"detectionMs":11840}`,
  };
}

/** One that counts where others are random. */
function uuidv7Of(count: number): string {
  const ms = Date.now().toString(16).padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8000-${count.toString(16).padStart(12, '0')}`;
}

/** JSON of an event as the log's own request holds it; nothing in one needs an escape. */
function asRequested(event: BenchEvent): string {
  return `{${membersOf(event)},"extensions":${event.extensionsJson}}`;
}

/** JSON of a structured CloudEvent, without extensions. */
function asCloudEvent(event: BenchEvent): string {
  return `{"specversion":"1.0",${membersOf(event)}}`;
}

function membersOf({ id, source, type, subject, time, datacontenttype, dataJson }: BenchEvent): string {
  return (
    `"id":"${id}","source":"${source}","type":"${type}","subject":"${subject}","time":"${time}",` +
    `"datacontenttype":"${datacontenttype}","data":${dataJson}`
  );
}

function spelledArray(events: number, spelled: () => string): string {
  return `[${Array.from({ length: events }, spelled).join(',')}]`;
}

/** Postgres as it is installed (every commit on disk), NATS, and one recorder, each its own process. */
export class Stage {
  readonly #processes = new ProcessGroup();
  #nats: NatsServer;
  #asker: NatsAsker | undefined;
  #pool: Pool | undefined;
  #port = 0;

  private constructor(
    private readonly folder: string,
    readonly postgres: PostgresServer,
    nats: NatsServer,
  ) {
    this.#nats = nats;
  }

  static async start(): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-bench-'));
    const postgres = await startPostgres({ dataDir: join(folder, 'postgres') });
    const nats = await startNats({ dataDir: join(folder, 'nats') });
    return new Stage(folder, postgres, nats);
  }

  /** Starts the recorder; resolves to how long it took until it recorded, milliseconds. */
  async startRecorder(): Promise<number> {
    this.#port = await freePort();
    const url = `http://127.0.0.1:${this.#port}`;
    const startedMs = performance.now();
    await this.#processes.spawn('event-recorder', process.execPath, [join(ROOT, 'apps/event-recorder/dist/main.js')], {
      env: {
        TOCSIN_HTTP_PORT: String(this.#port),
        TOCSIN_GRPC_PORT: String(await freePort()),
        TOCSIN_POSTGRES_URL: this.postgres.url,
        TOCSIN_NATS_URL: this.#nats.url,
        TOCSIN_API_KEY: API_KEY,
        TOCSIN_LOG_FORMAT: 'json',
        TOCSIN_LOG_LEVEL: 'warn',
        // 512 clients with 100 events each are to be measured, not refused.
        TOCSIN_APPEND_MAX_WAITING: '100000',
        TOCSIN_APPEND_MAX_WAITING_BYTES: String(256 * 1024 ** 2),
      },
      ready: { url: `${url}/readyz` },
      readyTimeoutMs: 120_000,
    });
    this.#pool = new Pool(url, { connections: 512, pipelining: 1, headersTimeout: 60_000 });
    this.#asker = await NatsAsker.connect(this.#nats.url);
    const append = this.overNats(1, false);
    while (!(await append())) await delay(5);
    return performance.now() - startedMs;
  }

  async stopRecorder(): Promise<void> {
    await this.#pool?.destroy();
    await this.#asker?.close();
    await this.#processes.kill9();
  }

  /**
   * Appends over NATS, all callers on one connection.
   * @param together as callers in one of Tocsin's services: those who append in the same turn of the event loop share a message. Without it
   *   as if everybody were a process of his own
   * @param make what is appended
   */
  overNats(perRequest: number, together: boolean, make = observersEvent): Send {
    const asker = this.#asker;
    if (asker === undefined) throw new Error('the recorder is not running');
    // What is large shares no message.
    const shares = together && perRequest === 1;
    const ask = shares
      ? asker.together(RPC.logAppend)
      : (request: string): Promise<unknown> => asker.ask(RPC.logAppend, request);
    return async () => {
      const events = spelledArray(perRequest, () => asRequested(make()));
      const answer = (await ask(`{"events":${events}}`)) as Answer | undefined;
      if (answer === undefined) return false;
      if (answer.ok) return true;
      const { code, detail } = answer.error;
      if (['TCN_OVERLOADED', 'TCN_UNAVAILABLE', 'TCN_FENCED'].includes(code)) return false;
      throw new Error(`${code}: ${detail}`);
    };
  }

  /** Appends as other producers do: a POST. */
  overHttp(perRequest: number): Send {
    const spelled = (): string => asCloudEvent(producersEvent());
    return async () => {
      const batch = perRequest > 1;
      const { status, text } = await this.#call('POST', '/v1/events', {
        type: batch ? 'application/cloudevents-batch+json' : 'application/cloudevents+json',
        body: batch ? spelledArray(perRequest, spelled) : spelled(),
      });
      // 200: the recorder repeated what it did not know to be recorded.
      if (![200, 201, 429, 503, 504].includes(status)) throw new Error(`HTTP ${status}: ${text}`);
      return status === 200 || status === 201;
    };
  }

  /** Milliseconds a GET takes; it must find `least` events. */
  async timeRead(path: string, least: number): Promise<number> {
    const startedMs = performance.now();
    const { status, text } = await this.#call('GET', path);
    const tookMs = performance.now() - startedMs;
    const found = (JSON.parse(text) as { events?: unknown[] }).events?.length ?? 0;
    if (status !== 200 || found < least) throw new Error(`${path}: HTTP ${status}, ${found} events`);
    return tookMs;
  }

  /** Last position of the stream; 0 while there is none. */
  async relayed(): Promise<number> {
    const response = await fetch(`${this.#nats.monitorUrl}/jsz?streams=true&accounts=true`);
    const report = (await response.json()) as {
      account_details?: { stream_detail?: { name: string; state: { last_seq: number } }[] }[];
    };
    const streams = (report.account_details ?? []).flatMap(({ stream_detail: details = [] }) => details);
    return streams.find(({ name }) => name === 'EVENTS')?.state.last_seq ?? 0;
  }

  /** Waits until the relay has nothing left to do; resolves to the last position. */
  async untilRelayed(): Promise<number> {
    let head = await this.relayed();
    for (let before = -1; head !== before; await delay(1_500)) [before, head] = [head, await this.relayed()];
    return head;
  }

  /**
   * Waits until nothing is owed of earlier load: what the relay has yet to bring, what Postgres and the kernel have yet to write. The checkpoint
   * leaves segments of the write-ahead log to be used again, as in a server that has filled more than its first few.
   */
  async untilSettled(): Promise<void> {
    await this.untilRelayed();
    const client = new pg.Client(this.postgres.url);
    await client.connect();
    await client.query('CHECKPOINT');
    await client.end();
    await promisify(execFile)('sync');
  }

  /** The broker loses its store and is back. */
  async wipeBroker(): Promise<void> {
    const { port } = this.#nats;
    await this.#nats.stop();
    await rm(join(this.folder, 'nats', 'jetstream'), { recursive: true });
    this.#nats = await startNats({ dataDir: join(this.folder, 'nats'), port });
  }

  async stop(): Promise<void> {
    await this.stopRecorder();
    await Promise.all([this.#nats.stop(), this.postgres.stop()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #call(method: 'GET' | 'POST', path: string, content?: { type: string; body: string }) {
    if (this.#pool === undefined) throw new Error('the recorder is not running');
    const { statusCode, body } = await this.#pool.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        ...(content === undefined ? {} : { 'content-type': content.type }),
      },
      ...(content === undefined ? {} : { body: content.body }),
    });
    return { status: statusCode, text: await body.text() };
  }
}
