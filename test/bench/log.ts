import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { closedLoop, type LoadResult, openLoop } from './load.js';
import { measureBaseline } from './log-baseline.js';
import { measureBig } from './log-big.js';
import { Stage } from './log-stage.js';

// npm run bench:log -- [--big] [--events 3000000] [--seconds 4] [--json]
const { values } = parseArgs({
  options: {
    big: { type: 'boolean', default: false },
    events: { type: 'string', default: '3000000' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);

const CLIENTS = [1, 64, 512];
const BATCH = 100;

/** One line of the table; figures that do not apply are left out. */
interface Line {
  what: string;
  /** Events per second. */
  rate?: number;
  /** To the raw batched insert. */
  ofBatched?: number;
  /** To one raw connection committing one row at a time. */
  ofSingle?: number;
  p50Ms?: number;
  p99Ms?: number;
  refused?: number;
  /** What was aimed at, and whether it was reached. */
  aim?: string;
  reached?: boolean;
}

const lines: Line[] = [];
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const note = (line: Line): void => {
  lines.push(line);
  say(`  ${line.what}`);
};

async function measure(stage: Stage): Promise<void> {
  say('raw baseline');
  const baseline = await measureBaseline(stage.postgres.url, seconds);
  const ratios = (rate: number) => ({ rate, ofBatched: rate / baseline.batched, ofSingle: rate / baseline.single });
  note({ what: 'raw pg, batches of 1000, bare table', ...ratios(baseline.batched) });
  note({ what: 'raw pg, batches of 1000, same indexes', ...ratios(baseline.batchedIndexed) });
  note({ what: 'raw pg, one row a commit, one connection', ...ratios(baseline.single) });

  await stage.startRecorder();
  for (const [how, path] of [
    ['NATS', (count: number) => stage.overNats(count)],
    ['HTTP', (count: number) => stage.overHttp(count)],
  ] as const) {
    say(`appends over ${how}`);
    for (const perRequest of [1, BATCH]) {
      let most = 0;
      for (const clients of CLIENTS) {
        const result = await closedLoop(clients, seconds, perRequest, path(perRequest));
        const size = perRequest === 1 ? 'single' : `batch of ${perRequest}`;
        const line = { what: `${how}, ${clients} clients, ${size}`, ...ratios(result.rate), ...latencies(result) };
        note({ ...line, ...aimOf(clients, perRequest, line) });
        if (clients === 64) most = result.rate;
      }
      if (perRequest > 1) continue;
      // What half the load does, not what the relay still owes of the most there can be.
      await stage.untilRelayed();
      const half = await openLoop(most / 2, seconds, 1, path(1));
      const what = `${how}, single, half of 64 clients’ load`;
      note({ what, ...ratios(half.rate), ...latencies(half), aim: 'p99 < 20 ms', reached: half.p99Ms < 20 });
    }
  }
  await measureRelay(stage, ratios);
}

/** The store is wiped, and the relay fills it again: how fast it can be, with nothing else to do. */
async function measureRelay(stage: Stage, ratios: (rate: number) => Partial<Line>): Promise<void> {
  say('relay');
  const head = await stage.untilRelayed();
  await stage.wipeBroker();
  const first = await filledTo(stage, 1);
  const last = await filledTo(stage, head);
  const rate = (last.position - first.position) / ((last.atMs - first.atMs) / 1000);
  note({
    what: `relay, ${head} events into an empty stream`,
    ...ratios(rate),
    aim: '≥ 10000/s',
    reached: rate >= 10_000,
  });
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

function aimOf(clients: number, perRequest: number, line: Line): Partial<Line> {
  if (clients !== 64) return {};
  if (perRequest === 1) return { aim: '≥ 5 × one row a commit', reached: (line.ofSingle ?? 0) >= 5 };
  return { aim: '≥ 0.4 × raw batched', reached: (line.ofBatched ?? 0) >= 0.4 };
}

function table(): string {
  const figure = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
  const rows = lines.map((line) => [
    line.what,
    figure(line.rate, 0),
    figure(line.ofBatched, 2),
    figure(line.ofSingle, 2),
    figure(line.p50Ms, 1),
    figure(line.p99Ms, 1),
    line.aim === undefined ? '' : `${line.reached === true ? 'yes' : 'NO '} ${line.aim}`,
    line.refused === undefined ? '' : `${line.refused} refused`,
  ]);
  const head = ['', 'events/s', '× batched', '× single', 'p50 ms', 'p99 ms', 'aim', ''];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || column > 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
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
