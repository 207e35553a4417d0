import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from './load.js';
import type { Stage } from './log-stage.js';

const CLIENTS = 16;
const PER_REQUEST = 250;
/** Where "early" is: the log has something in it, and it is all in memory. */
const EARLY_EVENTS = 100_000;
const READS = 200;

/** A figure of the big log: early and late in its life. */
export interface BigLine {
  what: string;
  rate?: number;
  p50Ms?: number;
  p99Ms?: number;
}

/** Fills the log with `events` events; appends, reads and starts at the beginning and at the end. */
export async function measureBig(stage: Stage, events: number, say: (text: string) => void): Promise<BigLine[]> {
  const lines: BigLine[] = [];
  const slice = Math.max(EARLY_EVENTS, Math.floor(events / 6));
  let filled = 0;
  const fillTo = async (wanted: number): Promise<void> => {
    const rate = await fill(stage, wanted - filled);
    lines.push({ what: `append, events ${filled} to ${wanted}`, rate });
    say(`  ${wanted} events, ${rate.toFixed(0)}/s`);
    filled = wanted;
  };
  await fillTo(Math.min(EARLY_EVENTS, events));
  lines.push(...(await readsAndStart(stage, filled)));
  while (filled < events) await fillTo(Math.min(events, filled + slice));
  lines.push(...(await readsAndStart(stage, filled)));
  return lines;
}

async function fill(stage: Stage, events: number): Promise<number> {
  const send = stage.overNats(PER_REQUEST, true);
  let left = Math.ceil(events / PER_REQUEST);
  const startedMs = performance.now();
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      while (!(await send())) await delay(20);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return events / ((performance.now() - startedMs) / 1000);
}

async function readsAndStart(stage: Stage, filled: number): Promise<BigLine[]> {
  const anywhere = (): number => Math.floor(Math.random() * filled * 0.9);
  const bySubject = (): string => `/v1/events?limit=10&subject=node/edge-${Math.floor(Math.random() * 5_000)}`;
  const lines = [
    await reads(stage, `read 10 by subject, from the start, of ${filled}`, bySubject),
    await reads(
      stage,
      `read 10 by subject, from anywhere, of ${filled}`,
      () => `${bySubject()}&after=${anywhere()}`,
      1,
    ),
    await reads(
      stage,
      `read 100 by common type, of ${filled}`,
      () => `/v1/events?limit=100&type=io.tocsin.node.offline&after=${anywhere()}`,
    ),
    await reads(
      stage,
      `read 10 by rare type, of ${filled}`,
      () => `/v1/events?limit=10&type=io.tocsin.node.degraded&after=${anywhere()}`,
      1,
    ),
    await reads(stage, `read 100 by position, of ${filled}`, () => `/v1/events?limit=100&after=${anywhere()}`),
  ];
  // A recorder that has a stream to fill is ready only when it has: that is the relay's speed, not the start's.
  await stage.untilRelayed();
  await stage.stopRecorder();
  const startMs = await stage.startRecorder();
  return [...lines, { what: `start until ready, with ${filled}`, p50Ms: startMs }];
}

async function reads(stage: Stage, what: string, path: () => string, least = 10): Promise<BigLine> {
  const times: number[] = [];
  for (let read = 0; read < READS; read++) times.push(await stage.timeRead(path(), least));
  times.sort((one, other) => one - other);
  return { what, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
