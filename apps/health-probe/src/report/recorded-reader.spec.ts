import { createLogger } from '@tocsin/platform';
import { expect, it } from 'vitest';
import type { Target } from '../targets/target.js';
import type { HealthLog } from './health-log.js';
import { RecordedReader } from './recorded-reader.js';

/** An empty log that answers at once. */
const LOG = {
  latestStates: () => Promise.resolve({ events: new Map(), versions: {} }),
  latestLives: () => Promise.resolve({ events: new Map(), versions: {} }),
} as unknown as HealthLog;

it('reads also what is wanted while the last answer is taken in, at whatever step', async () => {
  const targets = ['one', 'two'].map((name) => ({ name, subject: `node/${name}` }) as Target);
  for (let late = 0; late < 20; late += 1) {
    const read: string[] = [];
    const reader = new RecordedReader(LOG, createLogger({ name: 'spec', level: 'silent' }), ({ name }) =>
      read.push(name),
    );
    const [first, second] = targets;
    if (first !== undefined) reader.want(first);
    for (let step = 0; step < late; step += 1) await undefined;
    if (second !== undefined) reader.want(second);
    await new Promise(setImmediate);
    expect(read, `wanted ${late} steps later`).toEqual(['one', 'two']);
    await reader.stop();
  }
});
