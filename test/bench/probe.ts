import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eventually } from '@tocsin/testing';
import { Installation } from '../harness/installation.js';
import { cpuMs } from './cpu-time.js';
import { rawGetCpuUs } from './probe-baseline.js';
import type { FarmOrder, FarmWord } from './probe-farm.js';

// npm run bench:probe -- [--targets 1000,10000] [--seconds 40]
const { values } = parseArgs({
  options: { targets: { type: 'string', default: '1000,10000' }, seconds: { type: 'string', default: '40' } },
});
const SIZES = values.targets.split(',').map(Number);
const SECONDS = Number(values.seconds);
const KILLED = 50;
/** Loopback addresses of the farm: nobody may be probed more than twice at once. */
const ADDRESSES = 250;

const lines: { what: string; figure: string; aim?: string; reached?: boolean }[] = [];
function note(what: string, figure: string, aim?: string, reached?: boolean): void {
  lines.push({ what, figure, ...(aim === undefined ? {} : { aim, reached: reached === true }) });
  process.stderr.write(`  ${what}: ${figure}${aim === undefined ? '' : ` (aim ${aim}${reached ? '' : ': missed'})`}\n`);
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

async function ask(farm: ChildProcess, order: FarmOrder): Promise<FarmWord> {
  const answer = once(farm, 'message');
  farm.send(order);
  return ((await answer) as [FarmWord])[0];
}

async function count(farm: ChildProcess) {
  const word = await ask(farm, { kind: 'count' });
  if (word.kind !== 'counted') throw new Error(`the farm said ${word.kind}`);
  return word;
}

/** Share by share of a Prometheus histogram: how many observations at most so large, by upper bound in milliseconds. */
async function latenessBuckets(url: string): Promise<Map<number, number>> {
  const response = await fetch(url);
  const buckets = new Map<number, number>();
  for (const [, bound = '', value] of (await response.text()).matchAll(
    /^tocsin_check_lateness_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} (\S+)/gm,
  )) {
    buckets.set(bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1_000, Number(value));
  }
  return buckets;
}

/** The bound below which this share of the observations between two scrapes lies. */
function quantile(before: Map<number, number>, after: Map<number, number>, share: number): number {
  const between = [...after].map(([bound, value]): [number, number] => [bound, value - (before.get(bound) ?? 0)]);
  const total = between.at(-1)?.[1] ?? 0;
  return between.find(([, value]) => value >= total * share)?.[0] ?? Number.POSITIVE_INFINITY;
}

async function declare(installation: Installation, size: number, port: number): Promise<void> {
  const targets = Array.from({ length: size }, (_, index) => ({
    name: `node-${index}`,
    kind: 'node',
    check: { type: 'http', url: `http://127.0.1.${(index % ADDRESSES) + 1}:${port}/${index}` },
  }));
  for (let start = 0; start < size; start += 1_000) {
    const { status } = await installation.call('POST', '/v1/apply', { targets: targets.slice(start, start + 1_000) });
    if (status !== 200) throw new Error(`apply: ${status}`);
  }
}

interface Outage {
  subject: string;
  recordedMs: number;
}

/** All outages in the log. */
async function outagesIn(installation: Installation): Promise<Outage[]> {
  const events = await installation.events('&type=io.tocsin.node.offline');
  return (events as unknown as { subject: string; recordedtime: string }[]).map(({ subject, recordedtime }) => ({
    subject,
    recordedMs: Date.parse(recordedtime),
  }));
}

async function measure(farm: ChildProcess, port: number, size: number, baselineUs: number): Promise<void> {
  const installation = await Installation.create('distributed', { TOCSIN_LOG_LEVEL: 'warn' });
  try {
    await installation.start();
    await installation.kill9Service('health-probe');
    await declare(installation, size, port);
    await ask(farm, { kind: 'forget' });
    const spawnedMs = Date.now();
    const started = installation.start();
    const covered = await eventually(
      async () => {
        const word = await count(farm);
        return word.nodes >= size ? word : undefined;
      },
      { what: `all ${size} targets are probed`, timeoutMs: 120_000, intervalMs: 100 },
    );
    await started;
    const coverageMs = covered.lastMs - covered.firstMs;
    note(
      `${size} targets: all probed, from the first probe`,
      `${(coverageMs / 1_000).toFixed(1)} s`,
      '≤ 12 s',
      coverageMs <= 12_000,
    );
    note(
      `${size} targets: all probed, from the start of the process`,
      `${((covered.lastMs - spawnedMs) / 1_000).toFixed(1)} s`,
    );

    // What the start costs is no check's cost: first verdicts are recorded, code is compiled.
    await delay(20_000);
    const observer = installation.process('health-probe');
    const metrics = installation.observerUrl('/metrics');
    const [cpu0, count0, late0] = [await cpuMs(observer.pid), await count(farm), await latenessBuckets(metrics)];
    await delay(SECONDS * 1_000);
    const [cpu1, count1, late1] = [await cpuMs(observer.pid), await count(farm), await latenessBuckets(metrics)];
    const checks = count1.requests - count0.requests;
    const perCheckUs = ((cpu1 - cpu0) * 1_000) / checks;
    const ratio = perCheckUs / baselineUs;
    note(`${size} targets: checks a second`, (checks / SECONDS).toFixed(0));
    note(
      `${size} targets: CPU of the observer a check`,
      `${perCheckUs.toFixed(0)} µs = ${ratio.toFixed(2)} × raw`,
      '≤ 2.5 × raw',
      ratio <= 2.5,
    );
    const rss = await residentMb(observer.pid);
    note(`${size} targets: resident memory`, `${rss.toFixed(0)} MB`, '≤ 300 MB', rss <= 300);
    const p99 = quantile(late0, late1, 0.99);
    note(
      `${size} targets: lateness p50, p99`,
      `≤ ${quantile(late0, late1, 0.5)} ms, ≤ ${p99} ms`,
      'p99 ≤ 250 ms',
      p99 <= 250,
    );

    const victims = Array.from({ length: KILLED }, (_, index) => index * Math.floor(size / KILLED));
    const subjects = new Set(victims.map((node) => `node/node-${node}`));
    const killedMs = Date.now();
    await ask(farm, { kind: 'kill', nodes: victims });
    const { told, others } = await eventually(
      async () => {
        const outages = await outagesIn(installation);
        const isTold = ({ subject, recordedMs }: Outage) => subjects.has(subject) && recordedMs >= killedMs;
        const mine = outages.filter(isTold);
        return mine.length >= KILLED ? { told: mine, others: outages.length - mine.length } : undefined;
      },
      { what: `${KILLED} outages are recorded`, timeoutMs: 60_000, intervalMs: 500 },
    );
    const latencies = told.map(({ recordedMs }) => (recordedMs - killedMs) / 1_000).toSorted((a, b) => a - b);
    const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
    note(
      `${size} targets: ${KILLED} killed, from the kill to the record`,
      `median ${at(0.5).toFixed(1)} s, p90 ${at(0.9).toFixed(1)} s, all ${at(1).toFixed(1)} s (${told.length})`,
    );
    note(`${size} targets: outages of what was not killed`, `${others}`, '0', others === 0);
  } finally {
    await installation.destroy();
  }
}

process.stderr.write(`${cpus().length} × ${cpus()[0]?.model ?? '?'}, load ${loadavg()[0]?.toFixed(1)} at the start\n`);
const farm = fork(join(import.meta.dirname, 'probe-farm.ts'), { execArgv: process.execArgv });
const [word] = (await once(farm, 'message')) as [FarmWord];
if (word.kind !== 'listening') throw new Error('the farm does not listen');
try {
  const baselineUs = await rawGetCpuUs(word.port, 4_000);
  note('raw GET on a fresh connection with node:net, CPU', `${baselineUs.toFixed(0)} µs`);
  for (const size of SIZES) await measure(farm, word.port, size, baselineUs);
} finally {
  farm.disconnect();
}
process.stdout.write(`\n| what | figure | aim | reached |\n|---|---|---|---|\n`);
for (const { what, figure, aim = '', reached } of lines) {
  process.stdout.write(`| ${what} | ${figure} | ${aim} | ${aim === '' ? '' : reached ? 'yes' : 'no'} |\n`);
}
process.stdout.write(`load ${loadavg()[0]?.toFixed(1)} at the end\n`);
