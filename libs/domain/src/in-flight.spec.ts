import { describe, expect, it } from 'vitest';
import { InFlight } from './in-flight.js';

describe('InFlight', () => {
  it('tells when nothing is under way, which may be at once', async () => {
    const inFlight = new InFlight();
    await inFlight.none();
    inFlight.begin();
    inFlight.begin();
    let none = false;
    const waiting = inFlight.none().then(() => (none = true));
    inFlight.end();
    await Promise.resolve();
    expect([inFlight.size, none]).toEqual([1, false]);
    inFlight.end();
    await waiting;
    expect([inFlight.size, none]).toEqual([0, true]);
  });

  it('waits for what begins while the last one ends', async () => {
    const inFlight = new InFlight();
    inFlight.begin();
    let none = false;
    const waiting = inFlight.none().then(() => (none = true));
    inFlight.end();
    inFlight.begin();
    await new Promise(setImmediate);
    expect(none).toBe(false);
    inFlight.end();
    await waiting;
  });
});
