import { NOISE_BUCKET, type NoiseTally } from '@tocsin/contracts';
import { Broker } from '@tocsin/jetstream';
import { createLogger, systemClock } from '@tocsin/platform';
import { eventually, testNats } from '@tocsin/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NoiseJournal } from './noise-journal.js';
import { ProbeStatistics } from './probe-statistics.js';

let broker: Broker;

beforeAll(async () => {
  broker = await Broker.connect({ servers: (await testNats()).url, name: 'spec' });
});
afterAll(() => broker?.close());

const kept = async () => (await (await broker.kv(NOISE_BUCKET)).get('fra-1'))?.value as NoiseTally | undefined;
const VOID = { kind: 'void', detail: '', durationMs: 1 } as const;

function observe() {
  const statistics = new ProbeStatistics('fra-1');
  const logger = createLogger({ name: 'spec', level: 'silent' });
  const journal = new NoiseJournal({ observer: 'fra-1', broker, clock: systemClock, logger, statistics, periodMs: 20 });
  journal.start();
  return { statistics, journal };
}

it('what an observer counts goes on where it stopped, and comes back with a bucket that was lost', async () => {
  const first = observe();
  for (let count = 0; count < 5; count += 1) first.statistics.checked('http', VOID, 0);
  first.statistics.suspected();
  await first.journal.stop();
  expect(await kept()).toMatchObject({ checks: 5, voided: 5, suspicions: 1, refused: 0 });
  const since = (await kept())?.since;

  const second = observe();
  second.statistics.checked('http', VOID, 0);
  second.statistics.suspected();
  second.statistics.refused();
  await eventually(async () => (await kept())?.checks === 6, { what: 'the sixth check is written down' });
  expect(await kept()).toMatchObject({ since, checks: 6, suspicions: 2, refused: 1 });
  await (await broker.kv(NOISE_BUCKET)).delete('fra-1');
  await eventually(async () => (await kept())?.checks === 6, { what: 'it is written down again' });
  await second.journal.stop();
  expect(await kept()).toMatchObject({ since, checks: 6, suspicions: 2, refused: 1 });
});
