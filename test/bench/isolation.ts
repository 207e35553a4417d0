import { webhookId } from '@tocsin/domain';
import { eventually } from '@tocsin/testing';
import { parseArgs } from 'node:util';
import type { Topology } from '../harness/installation.js';
import { Bench, percentile, Sink } from './deliver.harness.js';

// npm run bench:isolation -- [--seconds 10] [--rate 200] [--topology standalone]
// 99 receivers that answer, with and without a hundredth that hangs, in one run on one installation.
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '200' },
    topology: { type: 'string', default: 'standalone' },
  },
});
const SECONDS = Number(values.seconds);
const RATE = Number(values.rate);
const HEALTHY = 99;
const BATCHES_PER_SECOND = 20;
const SOURCE = 'https://bench.example.net/';
const AIM = 1.5;

async function run(bench: Bench, sink: Sink, label: string): Promise<number> {
  const batch = Math.max(Math.round(RATE / BATCHES_PER_SECOND), 1);
  await sink.clear();
  const waits: number[] = [];
  const accepted = new Map<string, number>();
  const count = RATE * SECONDS;
  const typeOf = (number: number): string => `com.bench.iso.t${number % HEALTHY}`;
  const recorded = await bench.record(`isolation-${label}`, count, batch, 1_000 / BATCHES_PER_SECOND, typeOf);
  for (const [id, at] of recorded) {
    accepted.set(webhookId({ source: SOURCE, id }), at);
  }
  await eventually(async () => (await sink.came()).filter(({ path }) => !path.startsWith('/hang')).length >= count, {
    what: 'the healthy receivers were told everything',
    timeoutMs: 60_000,
    intervalMs: 100,
  });
  for (const { path, id, at } of await sink.came()) {
    const since = accepted.get(id);
    if (since !== undefined && !path.startsWith('/hang')) waits.push(Math.max(at - since, 0));
  }
  const p99 = percentile(waits, 0.99);
  process.stdout.write(
    `${label.padEnd(8)} ${waits.length} deliveries to healthy receivers: p50 ${percentile(waits, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms\n`,
  );
  return p99;
}

const sink = await Sink.start();
const bench = await Bench.start(values.topology as Topology);
let ratio: number;
try {
  // Each event is for one of the healthy receivers, in turns, and all of them for the one that hangs.
  for (let number = 0; number < HEALTHY; number += 1) {
    await bench.subscribe([`healthy-${number}`], (name) => `${sink.origin}/${name}`, `com.bench.iso.t${number}`);
  }
  await run(bench, sink, 'warm');
  const without = await run(bench, sink, 'without');
  await bench.subscribe(['hanging'], () => `${sink.origin}/hang`, 'com.bench.iso.*');
  const beside = await run(bench, sink, 'beside');
  ratio = beside / without;
  process.stdout.write(`p99 beside a hanging receiver: ${ratio.toFixed(2)} × without it (aim ≤ ${AIM})\n`);
} finally {
  await bench.stop();
  await sink.stop();
}
process.exitCode = ratio <= AIM ? 0 : 1;
