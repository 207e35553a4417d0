import { describe, expect, it } from 'vitest';
import { InFlight } from './in-flight.js';

describe('what is in flight', () => {
  function job(inFlight: InFlight, peer: string, log: string[]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = inFlight.run(peer, () => {
      log.push(peer);
      return promise;
    });
    return { end: resolve, done };
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('is no more than the limit, in the order of arrival', async () => {
    const inFlight = new InFlight({ total: 2, perPeer: 2 });
    const log: string[] = [];
    const [first, second, third] = ['a', 'b', 'c'].map((peer) => job(inFlight, peer, log));
    await settle();
    expect(log).toEqual(['a', 'b']);
    second?.end();
    await second?.done;
    await settle();
    expect(log).toEqual(['a', 'b', 'c']);
    first?.end();
    third?.end();
    await Promise.all([first?.done, third?.done]);
  });

  it('leaves room for others while one peer hangs', async () => {
    const inFlight = new InFlight({ total: 10, perPeer: 2 });
    const log: string[] = [];
    const hanging = Array.from({ length: 10 }, () => job(inFlight, 'slow', log));
    const other = job(inFlight, 'quick', log);
    await settle();
    expect(log.toSorted()).toEqual(['quick', 'slow', 'slow']);
    for (const { end } of [...hanging, other]) end();
    await Promise.all([...hanging, other].map(({ done }) => done));
    expect(log.filter((peer) => peer === 'slow')).toHaveLength(10);
  });

  it('frees the slots of work that fails', async () => {
    const inFlight = new InFlight({ total: 1, perPeer: 1 });
    await expect(inFlight.run('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(inFlight.run('a', () => Promise.resolve(7))).resolves.toBe(7);
  });
});
