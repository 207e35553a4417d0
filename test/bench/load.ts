import { InFlight } from '@tocsin/domain';
import { setTimeout as delay } from 'node:timers/promises';

/** What a run of load came to. Times in milliseconds, from when a request was due to its answer. */
export interface LoadResult {
  /** Events recorded per second. */
  rate: number;
  requests: number;
  refused: number;
  p50Ms: number;
  p99Ms: number;
}

/** One request; resolves to whether it was taken, false if it was refused for now: overload, or no leader. */
export type Send = () => Promise<boolean>;

/** A service that runs for weeks is measured, not the first second of its code. */
const WARM_UP_MS = 2_000;
/** Who is refused waits a little, as a client would. */
const REFUSED_MS = 20;

interface Tally {
  latenciesMs: number[];
  refused: number;
}

/** As many clients as said, each sending its next request when the last is answered. */
export async function closedLoop(
  clients: number,
  seconds: number,
  eventsPerRequest: number,
  send: Send,
): Promise<LoadResult> {
  await run(clients, WARM_UP_MS, send);
  const startedMs = performance.now();
  const tally = await run(clients, seconds * 1000, send);
  return summary(tally, (performance.now() - startedMs) / 1000, eventsPerRequest);
}

async function run(clients: number, ms: number, send: Send): Promise<Tally> {
  const tally: Tally = { latenciesMs: [], refused: 0 };
  const endMs = performance.now() + ms;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) await one(send, performance.now(), tally);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return tally;
}

/** Requests at a fixed rate, whether or not the earlier ones are answered: what waits counts as latency. */
export async function openLoop(
  requestsPerSecond: number,
  seconds: number,
  eventsPerRequest: number,
  send: Send,
): Promise<LoadResult> {
  const tally: Tally = { latenciesMs: [], refused: 0 };
  const total = Math.max(1, Math.floor(requestsPerSecond * seconds));
  const startedMs = performance.now();
  const open = new InFlight();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1000) * requestsPerSecond));
    for (; sent < due; sent++) {
      open.begin();
      void one(send, startedMs + (sent / requestsPerSecond) * 1000, tally).finally(() => open.end());
    }
    await delay(1);
  }
  await open.none();
  return summary(tally, (performance.now() - startedMs) / 1000, eventsPerRequest);
}

async function one(send: Send, dueMs: number, tally: Tally): Promise<void> {
  if (await send()) {
    tally.latenciesMs.push(performance.now() - dueMs);
    return;
  }
  tally.refused += 1;
  await delay(REFUSED_MS);
}

function summary({ latenciesMs, refused }: Tally, seconds: number, eventsPerRequest: number): LoadResult {
  const sorted = latenciesMs.toSorted((one_, other) => one_ - other);
  return {
    rate: (sorted.length * eventsPerRequest) / seconds,
    requests: sorted.length,
    refused,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
  };
}

/** Of numbers in ascending order; NaN where there are none. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
