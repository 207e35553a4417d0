import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { closedLoop, type LoadResult, openLoop, type Send } from './load.js';
import { type Baselines, measureBaseline } from './log-baseline.js';
import { measureBig } from './log-big.js';
import { producersEvent, Stage } from './log-stage.js';

// npm run bench:log -- [--big] [--events 3000000] [--seconds 6] [--json]
const { values } = parseArgs({
  options: {
    big: { type: 'boolean', default: false },
    events: { type: 'string', default: '3000000' },
    seconds: { type: 'string', default: '6' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);

// As Tocsin's services do. Pauses of this process's collector count as latency of the service: without it 14 ms, nearly every second.
setFlagsFromString('--no-allocation-site-pretenuring');

const CLIENTS = [1, 64, 512];
const BATCH = 100;
/**
 * Half load lasts so many times as long as the rest. Linux writes what files have gained after 30 s, all at once, and commits stand still meanwhile: in a
 * short look such a moment is all there is to see, or is not there.
 */
const HALF_LOAD_TIMES = 6;

/**
 * Load before anything is measured, in batches and single, each so many times as long as what is measured. Until a server has segments of its write-ahead
 * log to use again, each is filled with zeros and synced before it is written, and whatever comes first would be measured with that.
 */
const FIRST_LOAD_TIMES = 2;

/** One line of the table; figures that do not apply are left out. */
interface Line {
  what: string;
  /** Events per second. */
  rate?: number;
  /** To the raw batched insert of the log's rows. */
  ofBatched?: number;
  /** To one raw connection committing one of the log's rows at a time. */
  ofSingle?: number;
  /** To the raw batched insert into a table without the log's columns and indexes. */
  ofBareBatched?: number;
  /** To one raw connection committing one row at a time into that table. */
  ofBareSingle?: number;
  p50Ms?: number;
  p99Ms?: number;
  refused?: number;
  /** What was aimed at, and whether it was reached. */
  aim?: string;
  reached?: boolean;
}

/** What is aimed at, and how a line shows that it was reached. */
interface Aim {
  aim: string;
  reached: (line: Line) => boolean;
}

const SINGLE: Aim = { aim: '≥ 5 × one row a commit', reached: ({ ofSingle = 0 }) => ofSingle >= 5 };
const BATCHED: Aim = { aim: '≥ 0.4 × raw batched', reached: ({ ofBatched = 0 }) => ofBatched >= 0.4 };
const PROMPT: Aim = { aim: 'p99 < 20 ms', reached: ({ p99Ms = Infinity }) => p99Ms < 20 };
const RELAY: Aim = { aim: '≥ 10000/s', reached: ({ rate = 0 }) => rate >= 10_000 };

const lines: Line[] = [];
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const baselines: Baselines[] = [];

async function measure(stage: Stage): Promise<void> {
  // It makes the tables whose like the baseline fills; with nothing to do it costs next to nothing.
  await stage.startRecorder();
  say('the first gigabyte of the write-ahead log');
  for (const perRequest of [BATCH, 1]) {
    await closedLoop(64, seconds * FIRST_LOAD_TIMES, perRequest, stage.overNats(perRequest, true));
  }
  await stage.untilSettled();
  for (const [how, path] of [
    ['NATS', (count: number) => stage.overNats(count, true)],
    ['HTTP', (count: number) => stage.overHttp(count)],
  ] as const) {
    let most = Number.NaN;
    await beside(stage, `single appends over ${how}`, async (note) => {
      most = await appends(note, how, 1, path(1));
    });
    await beside(stage, `half of that over ${how}`, async (note) => {
      // What half the load does, not what is still owed of the most there can be.
      await stage.untilSettled();
      const half = await openLoop(most / 2, seconds * HALF_LOAD_TIMES, 1, path(1));
      note({ what: `${how}, single, half of 64 clients’ load`, rate: half.rate, ...latencies(half) }, PROMPT);
    });
    await beside(stage, `batches over ${how}`, async (note) => {
      await appends(note, how, BATCH, path(BATCH));
    });
  }
  await stage.untilRelayed();
  await beside(stage, 'single appends over NATS, what others have said', async (note) => {
    await appends(note, 'NATS, events of others', 1, stage.overNats(1, true, producersEvent));
  });
  await beside(stage, 'single appends over NATS, a message each', async (note) => {
    await appends(note, 'NATS, a message each', 1, stage.overNats(1, false));
  });
  await beside(stage, 'relay', async (note) => measureRelay(stage, note));
  lines.unshift(...rawLines());
}

type Note = (line: Line, aim?: Aim) => void;

/** Ratios are to a raw baseline right before and right after: a shared machine is not equally fast for long. */
async function beside(stage: Stage, what: string, work: (note: Note) => Promise<void>): Promise<void> {
  say(what);
  const noted: { line: Line; aim: Aim | undefined }[] = [];
  // As long as what it stands beside, in all: a disk is not equally fast from one second to the next.
  const raw = () => measureBaseline(stage.postgres.url, seconds / 2);
  const before = await raw();
  await work((line, aim) => noted.push({ line, aim }));
  const around = [before, await raw()];
  baselines.push(...around);
  for (const { line, aim } of noted) {
    const compared = { ...line, ...ratios(line.rate ?? Number.NaN, around) };
    lines.push(aim === undefined ? compared : { ...compared, aim: aim.aim, reached: aim.reached(compared) });
  }
}

function ratios(rate: number, around: readonly Baselines[]): Partial<Line> {
  return {
    ofBatched: rate / mean(around.map(({ log }) => log.batched)),
    ofSingle: rate / mean(around.map(({ log }) => log.single)),
    ofBareBatched: rate / mean(around.map(({ bare }) => bare.batched)),
    ofBareSingle: rate / mean(around.map(({ bare }) => bare.single)),
  };
}

function mean(rates: readonly number[]): number {
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

/** The raw baseline, all of it. */
function rawLines(): Line[] {
  const line = (what: string, rateOf: (baselines: Baselines) => number): Line => {
    const rate = mean(baselines.map(rateOf));
    return { what: `raw pg, ${what}`, rate, ...ratios(rate, baselines) };
  };
  return [
    line('batches of 1000, rows of the log', ({ log }) => log.batched),
    line('one row a commit, rows of the log', ({ log }) => log.single),
    line('batches of 1000, bare table', ({ bare }) => bare.batched),
    line('one row a commit, bare table', ({ bare }) => bare.single),
  ];
}

/** Resolves to the events per second of 64 clients. */
async function appends(note: Note, how: string, perRequest: number, send: Send): Promise<number> {
  let most = Number.NaN;
  for (const clients of CLIENTS) {
    const result = await closedLoop(clients, seconds, perRequest, send);
    if (clients === 64) most = result.rate;
    const size = perRequest === 1 ? 'single' : `batch of ${perRequest}`;
    const line = { what: `${how}, ${clients} clients, ${size}`, rate: result.rate, ...latencies(result) };
    note(line, how !== 'NATS' || clients !== 64 ? undefined : perRequest === 1 ? SINGLE : BATCHED);
  }
  return most;
}

/** The store is wiped, and the relay fills it again: how fast it can be, with nothing else to do. */
async function measureRelay(stage: Stage, note: Note): Promise<void> {
  const head = await stage.untilRelayed();
  await stage.wipeBroker();
  const first = await filledTo(stage, 1);
  const last = await filledTo(stage, head);
  const rate = (last.position - first.position) / ((last.atMs - first.atMs) / 1000);
  note({ what: `relay, ${head} events into an empty stream`, rate }, RELAY);
}

async function filledTo(stage: Stage, wanted: number): Promise<{ position: number; atMs: number }> {
  for (;;) {
    const position = await stage.relayed();
    if (position >= wanted) return { position, atMs: performance.now() };
    await delay(20);
  }
}

function latencies({ p50Ms, p99Ms, refused }: LoadResult): Partial<Line> {
  return { p50Ms, p99Ms, ...(refused === 0 ? {} : { refused }) };
}

function table(): string {
  const figure = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
  const rows = lines.map((line) => [
    line.what,
    figure(line.rate, 0),
    figure(line.ofBatched, 2),
    figure(line.ofSingle, 2),
    figure(line.ofBareBatched, 2),
    figure(line.ofBareSingle, 2),
    figure(line.p50Ms, 1),
    figure(line.p99Ms, 1),
    line.aim === undefined ? '' : `${line.reached === true ? 'yes' : 'NO '} ${line.aim}`,
    line.refused === undefined ? '' : `${line.refused} refused`,
  ]);
  const head = [
    '',
    'events/s',
    '× batched',
    '× single',
    '× bare batched',
    '× bare single',
    'p50 ms',
    'p99 ms',
    'aim',
    '',
  ];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || column > 7 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const stage = await Stage.start();
try {
  if (values.big) {
    await stage.startRecorder();
    for (const line of await measureBig(stage, Number(values.events), say)) lines.push(line);
  } else {
    await measure(stage);
  }
} finally {
  await stage.stop();
}
const machine = { node: process.version, cores: cpus().length, loadAverage: loadavg()[0] };
const report = values.json
  ? JSON.stringify({ machine, lines }, undefined, 2)
  : `${table()}\n\nNode ${machine.node}, ${machine.cores} cores, load average ${machine.loadAverage?.toFixed(1)}`;
process.stdout.write(`${report}\n`);
