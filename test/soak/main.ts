import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Producer } from '../chaos/harness/producer.js';
import { World } from '../chaos/harness/world.js';
import { Faults } from './faults.js';
import { Recorder } from './recorder.js';
import { svgPlot } from './svg-plot.js';
import { panelsOf, reportLines, verdictsOf } from './verdicts.js';

// npm run soak -- [--minutes 30] [--seed 1] [--rate 20] [--nodes 30] [--plot soak.svg]
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '20' },
    nodes: { type: 'string', default: '30' },
    plot: { type: 'string', default: 'soak.svg' },
  },
});
const MINUTES = Number(values.minutes);
const EVERY_MS = 10_000;
/** What processes need at first, for code and caches, is no growth: five minutes, or a third of a short run. */
const WARM_UP_S = Math.min(300, (MINUTES * 60) / 3);
const READINGS = 'com.example.reading';

const samples = await mkdtemp(join(tmpdir(), 'tocsin-soak-'));
const world = new World(Number(values.seed));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void world.end().finally(() => process.exit(130)));
}
try {
  await world.nodes(Number(values.nodes));
  await world.subscriber('ops');
  const slow = await world.subscriber('slow', [READINGS]);
  const moody = await world.subscriber('moody', [READINGS, 'io.tocsin.node.*'], {
    retry: { schedule: Array(50).fill('2s') },
  });
  const tocsin = await world.deploy({
    topology: 'distributed',
    env: {
      NODE_OPTIONS: `--expose-gc --import ${pathToFileURL(resolve(import.meta.dirname, 'sampler.mjs')).href}`,
      SOAK_SAMPLES: samples,
      SOAK_EVERY_MS: String(EVERY_MS),
      TOCSIN_LOG_LEVEL: 'warn',
      // Nodes go down again and again here, and each time is to be told.
      TOCSIN_FLAPPING_HALF_LIFE: '10s',
    },
  });
  await world.start();
  slow.behaves(() => ({ status: 204, delayMs: 100 }));

  const startedMs = performance.now();
  const recorder = new Recorder(tocsin, samples, startedMs);
  const producer = new Producer(world, READINGS, 200);
  const faults = new Faults(world, moody);
  producer.start(Number(values.rate));
  faults.start(startedMs);
  const endMs = startedMs + MINUTES * 60_000;
  for (let next = startedMs + EVERY_MS; next <= endMs; next += EVERY_MS) {
    await delay(Math.max(next - performance.now(), 0));
    await recorder.sample();
  }
  await faults.stop();
  await producer.stop();
  moody.behaves();
  const judgements = await world.settle(300_000);
  await recorder.sampleStores();

  const verdicts = verdictsOf(recorder, WARM_UP_S);
  const breaches = [...world.breaches, ...judgements.flatMap((each) => each.breaches)];
  const lines = reportLines({
    minutes: MINUTES,
    warmUp: WARM_UP_S,
    verdicts,
    judgements,
    breaches,
    faults: faults.done,
  });
  process.stdout.write(`${lines.join('\n')}\n`);
  const marks = { warmUp: WARM_UP_S, faults: faults.done.map(({ at }) => at) };
  await writeFile(values.plot, svgPlot(`Soak, ${MINUTES} minutes, seed ${values.seed}`, panelsOf(recorder), marks));
  process.stdout.write(`plotted in ${values.plot}\n`);
  process.exitCode = breaches.length > 0 || verdicts.some(({ ok }) => !ok) ? 1 : 0;
} finally {
  await world.end();
  await rm(samples, { recursive: true, force: true });
}
