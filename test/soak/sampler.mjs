// Preloaded into every process of Tocsin that is measured (NODE_OPTIONS=--import): what is left after a garbage collection cannot be
// seen from outside. Holds nothing open, and keeps nobody alive.
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const { SOAK_SAMPLES: folder, SOAK_EVERY_MS: everyMs } = process.env;

if (folder !== undefined && globalThis.gc !== undefined) {
  const file = join(folder, `${process.pid}.ndjson`);
  const sample = () => {
    const resident = process.memoryUsage.rss();
    // Not only what is garbage: also the pages that V8 keeps after a busy moment for the next one. What is left then is in use.
    globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    const { rss, heapUsed, external } = process.memoryUsage();
    const fds = readdirSync('/proc/self/fd').length;
    const resources = process.getActiveResourcesInfo().length;
    appendFileSync(file, `${JSON.stringify({ resident, rss, heapUsed, external, fds, resources })}\n`);
  };
  setInterval(sample, Number(everyMs)).unref();
}
