import { webhookId } from '@tocsin/domain';
import { eventually } from '@tocsin/testing';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Bench, percentile, Sink } from './deliver.harness.js';

// npm run bench:parked -- [--events 1000000]
// An endpoint is down while very much happens that it wants to know the latest of. What does that cost, whom does it disturb, and what is it
// told first when it is back?
const { values } = parseArgs({ options: { events: { type: 'string', default: '1000000' } } });
const EVENTS = Number(values.events);
const ROUNDS = 20;
const BATCH = 500;
/** Events nobody wants, for the latency of others without a parked subscription. */
const CALM_EVENTS = Math.min(EVENTS / ROUNDS, 20_000);
/** Subjects that {@link Bench.record} goes round. */
const SUBJECTS = 500;
const PARKED = 'com.bench.parked';
const SOURCE = 'https://bench.example.net/';
const MIB = 1024 * 1024;

const AIM_NEWEST_MS = 2_000;
const AIM_LATENCY = 1.5;
/** Below this a p99 says more of the machine than of whoever waits, milliseconds. */
const AIM_LATENCY_FLOOR_MS = 50;
/** From a fifth of the events to the last. */
const AIM_GROWTH = { memory: 96 * MIB, tables: 8 * MIB };

/** The endpoint that is down: answers 503 until it is told to be well, and remembers what it took. */
class Patient {
  readonly took: { subject: string; sequence: number; at: number }[] = [];
  refused = 0;
  well = false;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const { subject, sequence } = JSON.parse(Buffer.concat(chunks).toString()) as {
        subject: string;
        sequence: number;
      };
      if (this.well) this.took.push({ subject, sequence, at: performance.now() });
      else this.refused += 1;
      response.writeHead(this.well ? 204 : 503).end();
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/patient`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

interface Sample {
  events: number;
  /** Resident memory of the delivery process, bytes. */
  memory: number;
  /** Tables of delivery without the attempts, which grow with what is sent; bytes. */
  tables: number;
  attempts: number;
  pendingRows: number;
}

async function sample(bench: Bench, events: number): Promise<Sample> {
  const [row] = await bench.query<{ tables: string; attempts: string; rows: string }>(`
    SELECT coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname NOT LIKE 'attempt%'), 0) AS tables,
      coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'attempt%'), 0) AS attempts,
      (SELECT count(*) FROM delivery.pending) AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'delivery' AND c.relkind = 'r'`);
  const status = await readFile(`/proc/${bench.tocsin.process('delivery').pid}/status`, 'utf8');
  const one = {
    events,
    memory: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
    tables: Number(row?.tables),
    attempts: Number(row?.attempts),
    pendingRows: Number(row?.rows),
  };
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`.padStart(10);
  process.stdout.write(
    `${String(events).padStart(9)} events  memory ${mib(one.memory)}  tables ${mib(one.tables)}  attempts ${mib(one.attempts)}  pending rows ${one.pendingRows}\n`,
  );
  return one;
}

/** Records `count` events of a type, and meanwhile fifty a round that the healthy receiver wants. @returns how long those took, ms */
async function round(bench: Bench, sink: Sink, name: string, type: string, count: number): Promise<number[]> {
  await sink.clear();
  const many = bench.record(name, count, BATCH, 0, () => type);
  const accepted = await bench.record(`healthy-${name}`, 50, 1, 20, () => 'com.bench.healthy');
  await many;
  await sink.waitFor(50);
  const since = new Map([...accepted].map(([id, at]) => [webhookId({ source: SOURCE, id }), at]));
  return (await sink.came()).map(({ id, at }) => Math.max(at - (since.get(id) ?? at), 0));
}

/** How long after the first success the newest of every subject had come, and whether anything older came before. */
async function recovery(bench: Bench, patient: Patient): Promise<{ tookMs: number; inOrder: boolean }> {
  const rows = await bench.query<{ subject: string; newest: string }>(
    `SELECT subject, max(version) AS newest FROM log.event WHERE type = '${PARKED}' GROUP BY subject`,
  );
  const newest = new Map(rows.map((row) => [row.subject, Number(row.newest)]));
  const isNewest = (one: { subject: string; sequence: number }): boolean => newest.get(one.subject) === one.sequence;
  patient.well = true;
  await eventually(() => patient.took.filter(isNewest).length >= newest.size, {
    what: 'the newest of each subject has come',
    // A breaker that is open looks every five minutes at worst.
    timeoutMs: 330_000,
    intervalMs: 20,
  });
  const last = patient.took.findLast(isNewest)?.at ?? 0;
  // The two that probed may be old: they were all that was in memory.
  return { tookMs: last - (patient.took[0]?.at ?? 0), inOrder: patient.took.slice(2).every(isNewest) };
}

const sink = await Sink.start();
const bench = await Bench.start('distributed');
const patient = new Patient();
const promises: [string, boolean][] = [];
try {
  const url = await patient.listen();
  await bench.subscribe(['healthy'], () => `${sink.origin}/healthy`, 'com.bench.healthy');
  await round(bench, sink, 'warm', 'com.bench.nobody', CALM_EVENTS);
  const without = await round(bench, sink, 'calm', 'com.bench.nobody', CALM_EVENTS);
  await bench.subscribe(['patient'], () => url, PARKED, { delivery: 'latest' });
  const samples = [await sample(bench, 0)];
  const beside: number[] = [];
  for (let n = 1; n <= ROUNDS; n += 1) {
    beside.push(...(await round(bench, sink, `parked-${n}`, PARKED, EVENTS / ROUNDS)));
    samples.push(await sample(bench, (EVENTS / ROUNDS) * n));
  }
  await bench.settled();
  samples.push(await sample(bench, EVENTS));
  const [early, late] = [samples[ROUNDS / 5], samples.at(-1)];
  const grown = (of: 'memory' | 'tables'): number => (late?.[of] ?? 0) - (early?.[of] ?? 0);
  for (const of of ['memory', 'tables'] as const) {
    const what = `${of} from ${early?.events} events to ${EVENTS}: ${(grown(of) / MIB).toFixed(1)} MiB more`;
    promises.push([`${what} (aim < ${AIM_GROWTH[of] / MIB})`, grown(of) < AIM_GROWTH[of]]);
  }
  const [calm, busy] = [percentile(without, 0.99), percentile(beside, 0.99)];
  promises.push([
    `others, p99: ${calm.toFixed(1)} ms without, ${busy.toFixed(1)} ms beside (aim ≤ ${AIM_LATENCY} ×, or ${AIM_LATENCY_FLOOR_MS} ms)`,
    busy <= Math.max(calm * AIM_LATENCY, AIM_LATENCY_FLOOR_MS),
  ]);
  process.stdout.write(`${patient.refused} requests to the endpoint while it was down\n`);
  const { tookMs, inOrder } = await recovery(bench, patient);
  promises.push([
    `newest of ${SUBJECTS} subjects: ${Math.round(tookMs)} ms after the first success (aim ≤ ${AIM_NEWEST_MS} ms)`,
    tookMs <= AIM_NEWEST_MS,
  ]);
  promises.push(['nothing older came before them but the two probes', inOrder]);
  await bench.settled();
  const [gone] = await bench.query<{ events: string }>(
    `SELECT coalesce(sum(events), 0) AS events FROM delivery.superseded WHERE subscription = 'patient'`,
  );
  const told = new Set(patient.took.map(({ subject, sequence }) => `${subject} ${sequence}`)).size;
  const accounted = Number(gone?.events) + told;
  const scrape = await (await fetch(bench.tocsin.urlOf('/v1/deliveries').replace(/\/v1.*/, '/metrics'))).text();
  const missing = Number(/^tocsin_missing_deliveries(?:\{[^}]*\})? (-?\d+)/m.exec(scrape)?.[1]);
  promises.push([`${missing} missing by delivery's own books (aim 0)`, missing === 0]);
  promises.push([`${accounted} of ${EVENTS} accounted for: superseded, or told`, accounted === EVENTS]);
} finally {
  patient.close();
  await bench.stop();
  await sink.stop();
}
for (const [what, kept] of promises) process.stdout.write(`${kept ? 'kept  ' : 'BROKEN'} ${what}\n`);
process.exitCode = promises.every(([, kept]) => kept) ? 0 : 1;
