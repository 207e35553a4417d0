import { RPC } from '@tocsin/contracts';
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

let made = 0;

/**
 * An event such as an observer writes, about one of `subjects` targets. Its data is spelled by a template, for the raw baseline and for the
 * service alike: what making events costs is taken from what is measured, which shares the machine.
 */
export function event(subjects = 5_000) {
  made += 1;
  const name = `edge-${made % subjects}`;
  const time = new Date().toISOString();
  return {
    id: `bench_${process.pid}_${made}`,
    source: 'urn:bench',
    type: made % 1_000 === 0 ? 'com.acme.rare' : made % 2 === 0 ? 'com.acme.node.online' : 'com.acme.node.offline',
    subject: `node/${name}`,
    time,
    datacontenttype: 'application/json',
    dataJson:
      `{"target":"${name}","kind":"node","labels":{"site":"fra","role":"edge"},"from":"up","to":"down",` +
      `"reason":"connection refused by two observers","confidence":"quorum","evidence":[{"observer":"obs-1",` +
      `"at":"${time}","outcome":"fail","phase":"connect","durationMs":3.2}],"detectionMs":11840}`,
  };
}

/** What a CloudEvent begins with. */
const CLOUD_EVENT = '"specversion":"1.0",';

/** JSON of an event as a request holds it; nothing in one needs an escape. */
function spelled(first: string, { id, source, type, subject, time, datacontenttype, dataJson }: BenchEvent): string {
  return (
    `{${first}"id":"${id}","source":"${source}","type":"${type}","subject":"${subject}","time":"${time}",` +
    `"datacontenttype":"${datacontenttype}","data":${dataJson}}`
  );
}

function spelledArray(first: string, events: number): string {
  return `[${Array.from({ length: events }, () => spelled(first, event())).join(',')}]`;
}

export type BenchEvent = ReturnType<typeof event>;

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
   */
  overNats(perRequest: number, together: boolean): Send {
    const asker = this.#asker;
    if (asker === undefined) throw new Error('the recorder is not running');
    // What is large shares no message.
    const shares = together && perRequest === 1;
    const ask = shares
      ? asker.together(RPC.logAppend)
      : (request: string): Promise<unknown> => asker.ask(RPC.logAppend, request);
    return async () => {
      const answer = (await ask(`{"events":${spelledArray('', perRequest)}}`)) as Answer | undefined;
      if (answer === undefined) return false;
      if (answer.ok) return true;
      const { code, detail } = answer.error;
      if (['TCN_OVERLOADED', 'TCN_UNAVAILABLE', 'TCN_FENCED'].includes(code)) return false;
      throw new Error(`${code}: ${detail}`);
    };
  }

  /** Appends as other producers do: a POST. */
  overHttp(perRequest: number): Send {
    return async () => {
      const batch = perRequest > 1;
      const { status, text } = await this.#call('POST', '/v1/events', {
        type: batch ? 'application/cloudevents-batch+json' : 'application/cloudevents+json',
        body: batch ? spelledArray(CLOUD_EVENT, perRequest) : spelled(CLOUD_EVENT, event()),
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
