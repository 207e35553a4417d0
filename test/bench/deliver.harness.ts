import { freePort, type PostgresServer, startPostgres } from '@tocsin/embedded';
import { eventually, ProcessGroup } from '@tocsin/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Installation, type Topology } from '../harness/installation.js';
import { cpuMs } from './cpu-time.js';

/** A request that reached the sink. */
export interface Came {
  path: string;
  id: string;
  /** Epoch milliseconds, with fractions. */
  at: number;
}

/** The receiver, a process of its own. */
export class Sink {
  private constructor(
    private readonly processes: ProcessGroup,
    readonly origin: string,
  ) {}

  static async start(): Promise<Sink> {
    const processes = new ProcessGroup();
    const file = resolve(import.meta.dirname, 'sink.ts');
    const child = await processes.spawn('sink', process.execPath, ['--import', '@oxc-node/core/register', file], {
      ready: { line: /^sink \d+$/ },
    });
    const port = /^sink (\d+)$/m.exec(child.output)?.[1] ?? '';
    return new Sink(processes, `http://127.0.0.1:${port}`);
  }

  async count(): Promise<number> {
    return ((await (await fetch(`${this.origin}/log?from=-1`)).json()) as { count: number }).count;
  }

  async came(): Promise<Came[]> {
    const { came } = (await (await fetch(`${this.origin}/log`)).json()) as { came: [string, string, number][] };
    return came.map(([path, id, at]) => ({ path, id, at }));
  }

  async clear(): Promise<void> {
    await fetch(`${this.origin}/log`, { method: 'DELETE' });
  }

  async waitFor(count: number, timeoutMs = 300_000): Promise<void> {
    await eventually(async () => (await this.count()) >= count, {
      what: `${count} requests`,
      timeoutMs,
      intervalMs: 20,
    });
  }

  async stop(): Promise<void> {
    await this.processes.kill9();
  }
}

/** One Tocsin on a Postgres that counts statements. */
export class Bench {
  private constructor(
    readonly tocsin: Installation,
    private readonly postgres: PostgresServer,
    private readonly folder: string,
    private readonly client: pg.Client,
  ) {}

  static async start(topology: Topology, env: Record<string, string> = {}): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-bench-'));
    const postgres = await startPostgres({
      dataDir: join(folder, 'postgres'),
      port: await freePort(),
      settings: { shared_preload_libraries: 'pg_stat_statements', max_connections: '100' },
    });
    const client = new pg.Client(postgres.url);
    await client.connect();
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    const tocsin = await Installation.create(topology, {
      TOCSIN_POSTGRES_URL: postgres.url,
      TOCSIN_LOG_LEVEL: 'warn',
      TOCSIN_EGRESS_ALLOW: 'public,loopback',
      ...env,
    });
    await tocsin.start();
    return new Bench(tocsin, postgres, folder, client);
  }

  /** CPU milliseconds that its own processes have used so far; Postgres and NATS left out. */
  async cpuMs(): Promise<number> {
    const services = ['event-recorder', 'subscription-registry', 'delivery', 'health-probe'] as const;
    const pids = new Set(services.map((service) => this.tocsin.process(service).pid));
    const used = await Promise.all([...pids].map(cpuMs));
    return used.reduce((sum, one) => sum + one, 0);
  }

  /** Declares subscriptions and waits until delivery knows them. */
  async subscribe(
    names: readonly string[],
    url: (name: string) => string,
    type: string,
    more: Record<string, unknown> = {},
  ): Promise<void> {
    for (const name of names) {
      const { status, body } = await this.tocsin.call('PUT', `/v1/subscriptions/${name}`, {
        types: [type],
        destination: { kind: 'webhook', url: url(name) },
        ...more,
      });
      if (status >= 300) throw new Error(`subscription ${name}: ${status} ${JSON.stringify(body)}`);
    }
  }

  /** Records events in batches and says, for each id, when it was accepted. */
  async record(
    name: string,
    count: number,
    batch: number,
    pauseMs = 0,
    typeOf: (number: number) => string = () => name,
  ): Promise<Map<string, number>> {
    const accepted = new Map<string, number>();
    const source = 'https://bench.example.net/';
    for (let sent = 0; sent < count; sent += batch) {
      const events = Array.from({ length: Math.min(batch, count - sent) }, (_, n) => ({
        specversion: '1.0',
        id: `${name}-${sent + n}`,
        source,
        type: typeOf(sent + n),
        subject: `thing/${(sent + n) % 500}`,
        data: { number: sent + n, text: 'x'.repeat(200) },
      }));
      const { status, body } = await this.tocsin.call('POST', '/v1/events', events, {
        'content-type': 'application/cloudevents-batch+json',
      });
      if (status >= 300) throw new Error(`events: ${status} ${JSON.stringify(body)}`);
      const at = performance.timeOrigin + performance.now();
      for (const event of events) accepted.set(event.id, at);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return accepted;
  }

  /** Statements that Postgres has run since the last call of {@link resetStatements}, by the schema they are about. */
  async statements(): Promise<{ all: number; delivery: number }> {
    const { rows } = await this.client.query<{ all: string; delivery: string }>(
      `SELECT sum(calls) AS all, sum(calls) FILTER (WHERE query LIKE '%delivery.%') AS delivery FROM pg_stat_statements
       WHERE query NOT LIKE '%pg_stat_statements%'`,
    );
    return { all: Number(rows[0]?.all), delivery: Number(rows[0]?.delivery) };
  }

  async resetStatements(): Promise<void> {
    await this.client.query('SELECT pg_stat_statements_reset()');
  }

  /** Looks into its Postgres. */
  async query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    return (await this.client.query<Row>(sql)).rows;
  }

  /** The checkpoints of delivery have come to the end of the log. */
  async settled(): Promise<void> {
    const settled = 'SELECT (SELECT position FROM log.head) <= min(checkpoint) AS settled FROM delivery.shard';
    await eventually(async () => (await this.query<{ settled: boolean }>(settled))[0]?.settled ?? false, {
      what: 'delivery has come to the end of the log',
      timeoutMs: 600_000,
      intervalMs: 200,
    });
  }

  async stop(): Promise<void> {
    await this.client.end();
    await this.tocsin.destroy();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The value below which a share of all are. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
