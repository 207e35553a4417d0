import { targetSpecSchema } from '@tocsin/contracts';
import { createLogger } from '@tocsin/platform';
import { FakeClock } from '@tocsin/testing';
import { describe, expect, it } from 'vitest';
import { Target } from './target.js';
import { Watchdog } from './watchdog.js';

describe('the watchdog', () => {
  it('notices a target of which nothing was heard for three intervals, once', () => {
    const clock = new FakeClock();
    const check = { type: 'tcp', host: '127.0.0.1', port: 1, interval: '10s', timeout: '2s' };
    const spec = targetSpecSchema.parse({ kind: 'node', check });
    const target = new Target({ name: 'edge-1', revision: 1, spec }, clock.monotonicMs());
    const silent: string[] = [];
    const watchdog = new Watchdog({
      clock,
      logger: createLogger({ name: 'spec', level: 'silent' }),
      targets: () => [target],
      onSilent: ({ name, health }) => {
        silent.push(name);
        target.health = { ...health, phase: 'stale' };
      },
    });
    clock.advance(36_000);
    watchdog.look();
    expect(silent).toEqual([]);
    clock.advance(1);
    watchdog.look();
    watchdog.look();
    expect(silent).toEqual(['edge-1']);
  });
});
