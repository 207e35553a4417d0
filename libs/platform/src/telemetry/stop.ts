/** Longest the last spans are waited for, in ms: a collector that is away must not hold up the end of a process. */
const STOP_DEADLINE_MS = 3_000;

const stops: (() => Promise<void>)[] = [];

/** What has to be sent before the process ends. */
export function onTelemetryStop(stop: () => Promise<void>): void {
  stops.push(stop);
}

/** Sends what is still held, for up to 3 s. Never rejects: losing spans is no reason to fail. */
export async function stopTelemetry(): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, STOP_DEADLINE_MS);
  await Promise.race([late, Promise.allSettled(stops.splice(0).map((stop) => stop()))]);
  clearTimeout(timer);
}
