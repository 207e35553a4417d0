import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Deployment } from '../chaos/harness/deployment.js';
import { parseMetrics } from '../harness/metrics.js';
import type { Point } from './trend.js';

/** What one process says of itself; all but `resident` after a garbage collection that gave back what it held in reserve. */
interface ProcessSample {
  resident: number;
  rss: number;
  heapUsed: number;
  external: number;
  fds: number;
  resources: number;
}

/** Bytes of every table with its indexes, partitions counted with their parent; exact numbers of rows where they should be few. */
const TABLES = `
  SELECT n.nspname || '.' || coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
  LEFT JOIN pg_class parent ON parent.oid = i.inhparent
  WHERE c.relkind = 'r' AND n.nspname IN ('log', 'registry', 'delivery')
  GROUP BY 1`;
const WAITING = 'SELECT count(*)::int AS rows FROM delivery.pending';

/** Series of measurements, by panel and name. */
export class Recorder {
  readonly series = new Map<string, Map<string, Point[]>>();

  /**
   * @param folder where the processes write what they say of themselves
   * @param startedMs the beginning, by `performance.now()`
   */
  constructor(
    private readonly tocsin: Deployment,
    private readonly folder: string,
    private readonly startedMs: number,
  ) {}

  /** Takes one measurement of everything that can be measured now. */
  async sample(): Promise<void> {
    const at = this.#now();
    for (const [name, { pid }] of this.tocsin.running) {
      const sample = await this.#ofProcess(pid);
      if (sample === undefined) continue;
      const short = name.replace(/ \d+$/, '');
      this.#note('resident', short, at, sample.resident);
      this.#note('rss', short, at, sample.rss);
      this.#note('heap', short, at, sample.heapUsed + sample.external);
      this.#note('fds', short, at, sample.fds);
      this.#note('resources', short, at, sample.resources);
    }
    await this.#ofStores(at);
  }

  /** The last one, when all is told: what waits and what was written. Proving it all was work of another kind for the processes. */
  async sampleStores(): Promise<void> {
    await this.#ofStores(this.#now());
  }

  async #ofStores(at: number): Promise<void> {
    // Postgres may just be away: the next measurement is in seconds.
    await this.#tables(at).catch(() => undefined);
    await this.#lag(at).catch(() => undefined);
  }

  of(panel: string): ReadonlyMap<string, Point[]> {
    return this.series.get(panel) ?? new Map<string, Point[]>();
  }

  #now(): number {
    return (performance.now() - this.startedMs) / 1_000;
  }

  async #ofProcess(pid: number): Promise<ProcessSample | undefined> {
    const text = await readFile(join(this.folder, `${pid}.ndjson`), 'utf8').catch(() => '');
    const last = text.trimEnd().split('\n').at(-1) ?? '';
    return last === '' ? undefined : (JSON.parse(last) as ProcessSample);
  }

  async #tables(at: number): Promise<void> {
    const client = new pg.Client({ connectionString: this.tocsin.servers.postgresUrl, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    await client.connect();
    try {
      const { rows } = await client.query<{ name: string; bytes: string }>(TABLES);
      for (const { name, bytes } of rows) this.#note('tables', name, at, Number(bytes));
      const waiting = await client.query<{ rows: number }>(WAITING);
      this.#note('waiting', 'delivery.pending', at, waiting.rows[0]?.rows ?? 0);
    } finally {
      await client.end();
    }
  }

  async #lag(at: number): Promise<void> {
    const families = (await Promise.all(this.tocsin.metricsUrls.map(scrape))).flat();
    const samples = (name: string) => families.filter((each) => each.name === name).flatMap((each) => each.samples);
    const head = samples('tocsin_log_position_events')[0]?.value;
    if (head === undefined) return;
    for (const { labels, value } of samples('tocsin_follower_position_events')) {
      this.#note('lag', labels['follower'] ?? 'follower', at, Math.max(head - value, 0));
    }
    for (const { value } of samples('tocsin_relay_lag_events')) this.#note('lag', 'relay', at, value);
  }

  #note(panel: string, name: string, at: number, value: number): void {
    const own = this.series.get(panel) ?? new Map<string, Point[]>();
    this.series.set(panel, own);
    own.set(name, [...(own.get(name) ?? []), { at, value }]);
  }
}

async function scrape(url: string): Promise<ReturnType<typeof parseMetrics>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return parseMetrics(await response.text());
}
