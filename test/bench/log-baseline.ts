import pg from 'pg';
import { event, type BenchEvent } from './log-stage.js';

const ROWS_PER_STATEMENT = 1_000;

// The columns of log.event that a producer fills, and nothing else: no secondary index, no key, no hash, no versions.
const TABLE = `
CREATE TABLE IF NOT EXISTS public.baseline (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  time timestamptz(3) NOT NULL, id text NOT NULL, source text NOT NULL, subject text NOT NULL, type text NOT NULL,
  datacontenttype text, data json
)`;
// What a log cannot do without, whoever writes it: found by subject, by type, and by its key.
const INDEXES = `
CREATE INDEX ON public.baseline (subject, position);
CREATE INDEX ON public.baseline (type, position);
CREATE UNIQUE INDEX ON public.baseline (source, id)`;
const INSERT = `
INSERT INTO public.baseline (time, id, source, subject, type, datacontenttype, data)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::json[])`;

/** Rows per second of one raw connection. */
export interface Baseline {
  /** Batches of 1,000 rows, one commit each, into a table with a primary key. */
  batched: number;
  /** The same with indexes on subject, type and (source, id), as a log needs them. */
  batchedIndexed: number;
  /** One row, one commit. */
  single: number;
}

/** Measures what Postgres takes from one connection of the bare driver. */
export async function measureBaseline(url: string, seconds: number): Promise<Baseline> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(TABLE);
    const batched = await rate(client, seconds, ROWS_PER_STATEMENT);
    const single = await rate(client, seconds, 1);
    await client.query('TRUNCATE public.baseline');
    await client.query(INDEXES);
    const batchedIndexed = await rate(client, seconds, ROWS_PER_STATEMENT);
    await client.query('DROP TABLE public.baseline');
    await client.query('CHECKPOINT');
    return { batched, batchedIndexed, single };
  } finally {
    await client.end();
  }
}

async function rate(client: pg.Client, seconds: number, rows: number): Promise<number> {
  const insert = async (): Promise<void> => {
    await client.query({
      name: 'baseline',
      text: INSERT,
      values: columns(Array.from({ length: rows }, () => event())),
    });
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

function columns(events: BenchEvent[]): unknown[] {
  return [
    events.map(({ time }) => time),
    events.map(({ id }) => id),
    events.map(({ source }) => source),
    events.map(({ subject }) => subject),
    events.map(({ type }) => type),
    events.map(({ datacontenttype }) => datacontenttype),
    events.map(({ data }) => JSON.stringify(data)),
  ];
}
