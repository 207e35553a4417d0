import { createLogger, systemClock } from '@tocsin/platform';
import { describe, expect, it } from 'vitest';
import { MemoryLog } from '../facts/memory-log.harness.js';
import type { HealthLog } from './health-log.js';
import { Journal } from './journal.js';

/** A journal that has nothing to say yet. */
function journalOf(log: MemoryLog): Journal {
  return new Journal(log as unknown as HealthLog, systemClock, createLogger({ name: 'spec', level: 'silent' }));
}

describe('Journal', () => {
  it('forgets nothing that is said while the word before it is just recorded, at whatever step', async () => {
    for (let late = 0; late < 20; late += 1) {
      const log = new MemoryLog();
      const journal = journalOf(log);
      journal.say('io.tocsin.observer.isolated', 'observer/one', {});
      for (let step = 0; step < late; step += 1) await undefined;
      journal.say('io.tocsin.observer.rejoined', 'observer/one', {});
      await new Promise(setImmediate);
      expect(
        log.events.map(({ type }) => type),
        `said ${late} steps later`,
      ).toEqual(['io.tocsin.observer.isolated', 'io.tocsin.observer.rejoined']);
      await journal.stop();
    }
  });
});
