// Preloaded into every process of Tocsin that is measured (NODE_OPTIONS=--import): what is left after a garbage collection cannot be
// seen from outside. Holds nothing open, and keeps nobody alive.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const { SOAK_SAMPLES: folder, SOAK_EVERY_MS: everyMs } = process.env;

if (folder !== undefined && globalThis.gc !== undefined) {
  const file = join(folder, `${process.pid}.ndjson`);
  const sample = async () => {
    await globalThis.gc({ type: 'major', execution: 'async' });
    const { rss, heapUsed, external } = process.memoryUsage();
    const fds = readdirSync('/proc/self/fd').length;
    const resources = process.getActiveResourcesInfo().length;
    appendFileSync(file, `${JSON.stringify({ rss, heapUsed, external, fds, resources })}\n`);
  };
  setInterval(() => void sample(), Number(everyMs)).unref();
}
