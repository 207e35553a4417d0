import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

/**
 * Sampling step of the event loop's delay, in ms: finer than any time limit we set. Each sample wakes the process, which costs a tenth of a
 * millisecond of CPU: a hundred a second were most of what an idle service used.
 */
const RESOLUTION_MS = 50;

/** What the process itself uses, read when somebody collects; names as Prometheus' client libraries have them. */
export function observeProcess(meter: Meter): void {
  meter
    .createObservableCounter('process_cpu_seconds', { description: 'Processor time used.' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  meter
    .createObservableGauge('process_resident_memory_bytes', { description: 'Memory held.' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge('process_start_time_seconds', { description: 'When the process started, since 1970.' })
    .addCallback((result) => result.observe(performance.timeOrigin / 1_000));

  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  meter
    .createObservableGauge('nodejs_eventloop_lag_p99_seconds', {
      description: 'How late timers fired since the last collection, 99th percentile.',
    })
    .addCallback((result) => {
      // The histogram holds whole intervals between two samples, so what was asked for is taken off.
      const seconds = delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / 1e9 - RESOLUTION_MS / 1e3);
      result.observe(seconds);
      delay.reset();
    });
}
