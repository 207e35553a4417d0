import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { appendReplySchema, HEALTH_PROBE_SOURCE, RPC } from '@tocsin/contracts';
import { freePort, type NatsServer, startNats, type StartNatsOptions } from '@tocsin/embedded';
import { Broker } from '@tocsin/jetstream';
import {
  eventually,
  ProcessGroup,
  testDatabase,
  type TestDatabase,
  type TestProcess,
  testFolder,
} from '@tocsin/testing';

const API_KEY = 'a-key-that-only-the-tests-know-0123456789';
const RECORDER = resolve(import.meta.dirname, '../../../apps/event-recorder/src/main.ts');
const FROM_SOURCE = ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register'];

/** A recorder process, its own nats-server (to be wiped) and a database: what internal teams consume from. */
export class Log {
  readonly #processes = new ProcessGroup();
  readonly #url: string;
  /** Positions of all events recorded here, by subject. */
  readonly recorded = new Map<string, number[]>();

  private constructor(
    private readonly folder: string,
    private nats: NatsServer,
    private readonly database: TestDatabase,
    port: number,
  ) {
    this.#url = `http://127.0.0.1:${port}`;
  }

  static async start(
    env: Record<string, string> = {},
    nats: Pick<StartNatsOptions, 'port' | 'config'> = {},
  ): Promise<Log> {
    const [folder, database, port] = [await testFolder(), await testDatabase(), await freePort()];
    const log = new Log(folder, await startNats({ dataDir: join(folder, 'nats'), ...nats }), database, port);
    await log.#processes.spawn('event-recorder', process.execPath, [...FROM_SOURCE, RECORDER], {
      env: {
        TOCSIN_HTTP_PORT: String(port),
        TOCSIN_GRPC_PORT: String(await freePort()),
        TOCSIN_POSTGRES_URL: database.url,
        TOCSIN_NATS_URL: log.nats.url,
        TOCSIN_API_KEY: API_KEY,
        TOCSIN_LOG_FORMAT: 'json',
        ...env,
      },
      ready: { url: `${log.#url}/readyz` },
      readyTimeoutMs: 60_000,
    });
    return log;
  }

  get servers(): string {
    return this.nats.url;
  }

  /** A script of this folder as a process of its own. */
  spawn(name: string, script: string, args: string[], line: RegExp): Promise<TestProcess> {
    const path = join(import.meta.dirname, script);
    return this.#processes.spawn(name, process.execPath, [...FROM_SOURCE, path, ...args], { ready: { line } });
  }

  /** One of the documentation's examples as a process of its own. */
  example(file: string, env: Record<string, string>): Promise<TestProcess> {
    const path = resolve(import.meta.dirname, '../../../docs/examples/internal-teams', file);
    return this.#processes.spawn(file, process.execPath, [...FROM_SOURCE, path], { env });
  }

  /** Records events of these subjects, in order, and returns their positions. */
  async record(subjects: readonly string[], more: { type?: string; data?: unknown } = {}): Promise<number[]> {
    const positions: number[] = [];
    for (let start = 0; start < subjects.length; start += 50) {
      const batch = subjects.slice(start, start + 50);
      const response = await fetch(`${this.#url}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/cloudevents-batch+json' },
        body: JSON.stringify(
          batch.map((subject) => ({
            specversion: '1.0',
            id: randomUUID(),
            source: 'urn:test',
            type: 'com.acme.test',
            subject,
            ...more,
          })),
        ),
      });
      if (response.status !== 201) throw new Error(`recording: ${response.status} ${await response.text()}`);
      const { events } = (await response.json()) as { events: { position: number }[] };
      for (const [index, { position }] of events.entries()) {
        positions.push(position);
        const subject = batch[index] ?? '';
        this.recorded.set(subject, [...(this.recorded.get(subject) ?? []), position]);
      }
    }
    return positions;
  }

  /** Records a change of a node that is told to nobody, as an observer does, and returns its position. */
  async withhold(name: string): Promise<number> {
    const broker = await Broker.connect({ servers: this.servers, name: 'observer' });
    try {
      const event = {
        ...{ id: randomUUID(), source: HEALTH_PROBE_SOURCE, type: 'io.tocsin.node.offline', subject: `node/${name}` },
        ...{ time: new Date().toISOString(), extensions: { withheld: 'storm' }, data: {} },
      };
      const { events } = await broker.request(RPC.logAppend, { events: [event] }, { schema: appendReplySchema });
      return events[0]?.position ?? 0;
    } finally {
      await broker.close();
    }
  }

  /** The broker loses everything it has, at once, and is back on the same address a moment later, or after `awayMs`. */
  async wipeBroker(awayMs = 0): Promise<void> {
    const { port } = this.nats;
    this.nats.kill9();
    await this.nats.exited;
    await delay(awayMs);
    await rm(join(this.folder, 'nats', 'jetstream'), { recursive: true });
    this.nats = await startNats({ dataDir: join(this.folder, 'nats'), port });
  }

  /** Kills the broker and restarts it, after `awayMs` milliseconds; its store stays. */
  async restartBroker(awayMs = 0): Promise<void> {
    const { port } = this.nats;
    this.nats.kill9();
    await this.nats.exited;
    await delay(awayMs);
    this.nats = await startNats({ dataDir: join(this.folder, 'nats'), port });
  }

  /** First and last sequence of the stream, and its durables, as the server's own monitoring tells it. */
  async look(): Promise<{ first: number; last: number; durables: Map<string, { acked: number; unacked: number }> }> {
    const response = await fetch(`${this.nats.monitorUrl}/jsz?consumers=true&accounts=true`);
    const report = (await response.json()) as Report;
    const streams = (report.account_details ?? []).flatMap(({ stream_detail: details = [] }) => details);
    const stream = streams.find(({ name }) => name === 'EVENTS');
    const consumers = (stream?.consumer_detail ?? []).map(
      ({ name, ack_floor, num_ack_pending }) =>
        [name, { acked: ack_floor.stream_seq, unacked: num_ack_pending }] as const,
    );
    return { first: stream?.state.first_seq ?? 0, last: stream?.state.last_seq ?? 0, durables: new Map(consumers) };
  }

  /** Position up to which a durable has acknowledged, as Postgres remembers it. */
  async remembered(durable: string): Promise<number | undefined> {
    const sql = 'SELECT acked::int FROM log.durable WHERE name = $1';
    const [row] = await this.database.query<{ acked: number }>(sql, [durable]);
    return row?.acked;
  }

  /** Waits until the stream has everything up to a position. */
  async relayed(position: number): Promise<void> {
    await eventually(async () => (await this.look()).last >= position, {
      what: `position ${position} is relayed`,
      timeoutMs: 30_000,
    });
  }

  async stop(): Promise<void> {
    await this.#processes.kill9();
    await this.nats.stop();
  }
}

interface Report {
  account_details?: {
    stream_detail?: {
      name: string;
      state: { first_seq: number; last_seq: number };
      consumer_detail?: { name: string; ack_floor: { stream_seq: number }; num_ack_pending: number }[];
    }[];
  }[];
}
