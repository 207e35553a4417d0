import { webhookId } from '@tocsin/domain';
import { createHmac, randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { parseArgs } from 'node:util';
import { TOPOLOGIES, type Topology } from '../harness/installation.js';
import { OtlpReceiver } from '../harness/otlp-receiver.js';
import { Bench, percentile, Sink } from './deliver.harness.js';

// npm run bench:deliver -- [--events 10000] [--fan-out 100] [--topology standalone] [--traced]
// With --traced nothing but what tracing costs: the same work without and with it.
// The ratio to the baseline, taken in the same run, is what counts; absolute figures belong to the machine.
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    'fan-out': { type: 'string', default: '100' },
    topology: { type: 'string' },
    traced: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events);
const FAN_OUT = Number(values['fan-out']);
/** Requests in flight of the baseline: what one endpoint gets of Tocsin at most. */
const BASELINE_IN_FLIGHT = 32;
const SOURCE = 'https://bench.example.net/';

interface Line {
  what: string;
  figure: string;
  aim: string;
}
const lines: Line[] = [];
function note(what: string, figure: string, aim = ''): void {
  lines.push({ what, figure, aim });
  process.stderr.write(`  ${what}: ${figure}${aim === '' ? '' : ` (aim ${aim})`}\n`);
}

/** A loop of signed POSTs and nothing else. */
async function baseline(sink: Sink): Promise<number> {
  const pool = new Pool(sink.origin, { connections: BASELINE_IN_FLIGHT });
  const secret = randomBytes(32);
  const once = async (total: number): Promise<number> => {
    const startedMs = performance.now();
    let next = 0;
    await Promise.all(
      Array.from({ length: BASELINE_IN_FLIGHT }, async () => {
        for (let number = next++; number < total; number = next++) {
          const body = Buffer.from(JSON.stringify({ specversion: '1.0', id: `b-${number}`, data: 'x'.repeat(400) }));
          const time = Math.floor(Date.now() / 1000);
          const headers = {
            'content-type': 'application/cloudevents+json; charset=utf-8',
            'webhook-id': `evt_${number}`,
            'webhook-timestamp': String(time),
            'webhook-signature': `v1,${createHmac('sha256', secret).update(`evt_${number}.${time}.`).update(body).digest('base64')}`,
          };
          const answer = await pool.request({ path: '/baseline', method: 'POST', headers, body });
          await answer.body.dump();
        }
      }),
    );
    return total / ((performance.now() - startedMs) / 1_000);
  };
  await once(2_000);
  const rate = await once(EVENTS);
  await pool.close();
  await sink.clear();
  return rate;
}

async function throughput(bench: Bench, sink: Sink, type: string, events: number, fanOut: number) {
  await bench.record(type, Math.min(500, events), 100);
  await sink.waitFor(Math.min(500, events) * fanOut);
  await sink.clear();
  await bench.resetStatements();
  const startedMs = performance.timeOrigin + performance.now();
  await bench.record(`${type}.run`, events, 200);
  await sink.waitFor(events * fanOut);
  const last = Math.max(...(await sink.came()).map(({ at }) => at));
  const statements = await bench.statements();
  await sink.clear();
  const deliveries = events * fanOut;
  return { rate: deliveries / ((last - startedMs) / 1_000), perDelivery: statements.all / deliveries };
}

async function latency(bench: Bench, sink: Sink, type: string, count: number, batch: number, pauseMs: number) {
  await bench.resetStatements();
  const accepted = await bench.record(type, count, batch, pauseMs);
  await sink.waitFor(count);
  const waits = (await sink.came()).flatMap(({ id, at }) => {
    const since = byWebhookId(accepted).get(id);
    // Delivery may be quicker than the answer to the producer.
    return since === undefined ? [] : [Math.max(at - since, 0)];
  });
  const statements = await bench.statements();
  await sink.clear();
  return {
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    perDelivery: statements.all / count,
    ofDelivery: statements.delivery / count,
  };
}

let known: { from: Map<string, number>; by: Map<string, number> } | undefined;
function byWebhookId(accepted: Map<string, number>): Map<string, number> {
  if (known?.from !== accepted) {
    known = {
      from: accepted,
      by: new Map([...accepted].map(([id, at]) => [webhookId({ source: SOURCE, id }), at])),
    };
  }
  return known.by;
}

async function measure(topology: Topology, sink: Sink): Promise<void> {
  const bench = await Bench.start(topology);
  try {
    // Right beside what it is compared with: what else a machine does changes within a minute.
    const raw = async (): Promise<number> => {
      const rate = await baseline(sink);
      note(`${topology}: baseline, signed POSTs with undici`, `${Math.round(rate)}/s`);
      return rate;
    };
    const ms = (value: number): string => `${value.toFixed(1)} ms`;
    await bench.subscribe(['one'], () => `${sink.origin}/one`, 'com.bench.one.*');
    const rawForOne = await raw();
    const one = await throughput(bench, sink, 'com.bench.one.a', EVENTS, 1);
    note(
      `${topology}: fan-out 1`,
      `${Math.round(one.rate)}/s = ${(one.rate / rawForOne).toFixed(2)} × baseline`,
      '≥ 0.2',
    );
    note(`${topology}: statements per delivery, fan-out 1`, one.perDelivery.toFixed(2), '≤ 4');
    const idle = await latency(bench, sink, 'com.bench.one.idle', 200, 1, 25);
    note(`${topology}: idle, accepted → received`, `p50 ${ms(idle.p50)}, p99 ${ms(idle.p99)}`, 'p99 < 20 ms');
    note(
      `${topology}: statements per delivery, idle`,
      `${idle.ofDelivery.toFixed(2)}, with everybody's ${idle.perDelivery.toFixed(2)}`,
      '≤ 4',
    );
    const half = Math.max(one.rate / 2, 20);
    const batch = Math.max(Math.round(half / 50), 1);
    const loaded = await latency(bench, sink, 'com.bench.one.half', Math.round(half * 5), batch, 1_000 / 50);
    note(`${topology}: half load, accepted → received`, `p50 ${ms(loaded.p50)}, p99 ${ms(loaded.p99)}`, 'p99 < 250 ms');
    const names = Array.from({ length: FAN_OUT }, (_, n) => `many-${n}`);
    await bench.subscribe(names, (name) => `${sink.origin}/${name}`, 'com.bench.many.*');
    const rawForMany = await raw();
    const many = await throughput(bench, sink, 'com.bench.many.a', Math.ceil(EVENTS / 10 / (FAN_OUT / 100)), FAN_OUT);
    note(
      `${topology}: fan-out ${FAN_OUT}`,
      `${Math.round(many.rate)}/s = ${(many.rate / rawForMany).toFixed(2)} × baseline`,
      '≥ 0.35',
    );
    note(`${topology}: statements per delivery, fan-out ${FAN_OUT}`, many.perDelivery.toFixed(3), '≤ 4');
  } finally {
    await bench.stop();
  }
}

/** CPU microseconds of Tocsin's processes for each delivery, recording and matching its event included. */
async function cpuPerDelivery(topology: Topology, sink: Sink, env: Record<string, string>): Promise<number> {
  const bench = await Bench.start(topology, env);
  try {
    await bench.subscribe(['one'], () => `${sink.origin}/one`, 'com.bench.one.*');
    // The first run compiles what the second measures.
    await throughput(bench, sink, 'com.bench.one.warm', EVENTS, 1);
    const before = await bench.cpuMs();
    await throughput(bench, sink, 'com.bench.one.measured', EVENTS, 1);
    return (((await bench.cpuMs()) - before) * 1_000) / (EVENTS + Math.min(500, EVENTS));
  } finally {
    await bench.stop();
  }
}

async function measureTracing(topology: Topology, sink: Sink): Promise<void> {
  const plain = await cpuPerDelivery(topology, sink, {});
  const collector = await OtlpReceiver.start();
  try {
    const traced = await cpuPerDelivery(topology, sink, collector.env);
    note(`${topology}: CPU per delivery, not traced`, `${Math.round(plain)} µs`);
    note(`${topology}: CPU per delivery, traced`, `${Math.round(traced)} µs = ${(traced / plain).toFixed(2)} ×`);
    note(`${topology}: spans`, (collector.spans.length / (2 * EVENTS)).toFixed(1) + ' a delivery');
  } finally {
    await collector.close();
  }
}

const sink = await Sink.start();
try {
  const topologies = values.topology === undefined ? TOPOLOGIES : [values.topology as Topology];
  for (const topology of topologies) await (values.traced ? measureTracing : measure)(topology, sink);
} finally {
  await sink.stop();
}
const width = Math.max(...lines.map(({ what }) => what.length));
for (const { what, figure, aim } of lines) {
  process.stdout.write(`${what.padEnd(width)}  ${figure}${aim === '' ? '' : `  (aim ${aim})`}\n`);
}
