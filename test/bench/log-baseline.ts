import pg from 'pg';
import { type BenchEvent, observersEvent } from './log-stage.js';

const ROWS_PER_STATEMENT = 1_000;
/** As wide as a real one; what it holds makes no difference to who stores it. */
const LEAF_HASH = Buffer.alloc(32, 0xa5);

const SAID = [
  ['time', 'timestamptz'],
  ['id', 'text'],
  ['source', 'text'],
  ['subject', 'text'],
  ['type', 'text'],
  ['datacontenttype', 'text'],
  ['data', 'json'],
] as const;

/** A table, and what fills it. */
interface Target {
  table: string;
  /** Names and types. */
  columns: readonly (readonly [name: string, type: string])[];
  /** A list of values per column. */
  values: (events: BenchEvent[]) => unknown[][];
}

/** The rows of the log, as reads of a log need them found: the columns and indexes of log.event, in one plain table. */
const LOG_ROWS: Target = {
  table: 'CREATE TABLE public.baseline (LIKE log.event INCLUDING ALL)',
  columns: [
    ...SAID,
    ['extensions', 'json'],
    ['position', 'bigint'],
    ['version', 'bigint'],
    ['recorded_at', 'timestamptz'],
    ['leaf_hash', 'bytea'],
  ],
  values: (events) => {
    const recordedAt = new Date().toISOString();
    return [
      ...saidOf(events),
      events.map(({ extensionsJson }) => extensionsJson),
      events.map(() => (position += 1)),
      events.map(() => 1),
      events.map(() => recordedAt),
      events.map(() => LEAF_HASH),
    ];
  },
};

/** The columns a producer fills, and nothing else: no secondary index, no hash, no version, no time of recording. */
const BARE_ROWS: Target = {
  table: `
CREATE TABLE public.baseline (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  time timestamptz(3) NOT NULL, id text NOT NULL, source text NOT NULL, subject text NOT NULL, type text NOT NULL,
  datacontenttype text, data json
)`,
  columns: SAID,
  values: saidOf,
};

let position = 0;

/** Rows per second of one raw connection. */
export interface Baseline {
  /** Batches of 1,000 rows, one commit each. */
  batched: number;
  /** One row, one commit. */
  single: number;
}

/** For both tables. */
export interface Baselines {
  log: Baseline;
  bare: Baseline;
}

/**
 * Measures what Postgres takes from one connection of the bare driver.
 * @param url of a database that has the log
 */
export async function measureBaseline(url: string, seconds: number): Promise<Baselines> {
  return { log: await measureTable(url, seconds, LOG_ROWS), bare: await measureTable(url, seconds, BARE_ROWS) };
}

async function measureTable(url: string, seconds: number, target: Target): Promise<Baseline> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(target.table);
    const batched = await rate(client, seconds, ROWS_PER_STATEMENT, target);
    const single = await rate(client, seconds, 1, target);
    await client.query('DROP TABLE public.baseline');
    await client.query('CHECKPOINT');
    return { batched, single };
  } finally {
    await client.end();
  }
}

async function rate(client: pg.Client, seconds: number, rows: number, target: Target): Promise<number> {
  const text = rows === 1 ? insertOf(target) : insertManyOf(target);
  const insert = async (): Promise<void> => {
    const values = target.values(Array.from({ length: rows }, observersEvent));
    // One of each, or one list of each.
    await client.query({ name: `baseline_${rows}`, text, values: rows === 1 ? values.flat() : values });
  };
  await insert();
  const startedMs = performance.now();
  let inserted = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    await insert();
    inserted += rows;
  }
  return inserted / ((performance.now() - startedMs) / 1000);
}

function insertOf({ columns }: Target): string {
  return `INSERT INTO public.baseline (${namesOf(columns)}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`;
}

function insertManyOf({ columns }: Target): string {
  const lists = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');
  return `INSERT INTO public.baseline (${namesOf(columns)}) SELECT * FROM unnest(${lists})`;
}

function namesOf(columns: Target['columns']): string {
  return columns.map(([name]) => name).join(', ');
}

/** In the order of {@link SAID}. */
function saidOf(events: BenchEvent[]): unknown[][] {
  return [
    events.map(({ time }) => time),
    events.map(({ id }) => id),
    events.map(({ source }) => source),
    events.map(({ subject }) => subject),
    events.map(({ type }) => type),
    events.map(({ datacontenttype }) => datacontenttype),
    events.map(({ dataJson }) => dataJson),
  ];
}
