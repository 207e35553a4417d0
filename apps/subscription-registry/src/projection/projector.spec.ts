import type { RecordedEvent } from '@tocsin/domain';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recorded } from '../recorded.harness.js';
import { ProjectionGap } from './projection-store.js';
import { type Follow, Projector } from './projector.js';

type Following = Parameters<Follow>[0];

const event = (position: number): RecordedEvent => recorded(position, { type: 'com.acme.x', subject: 'x' });

/** A projector whose log is fed by hand. */
function projectorOn(store: { position: number; fail?: Error }) {
  const laps: Following[] = [];
  const stuck: unknown[] = [];
  const projector = new Projector({
    target: {
      checkpoint: async () => store.position,
      project: async (events) => {
        if (store.fail !== undefined) throw store.fail;
        const first = events[0]?.position ?? 0;
        if (first > store.position + 1) throw new ProjectionGap(store.position, first);
        store.position = Math.max(store.position, events.at(-1)?.position ?? 0);
        return store.position;
      },
    },
    follow: (following) => {
      laps.push(following);
      return new Promise((resolve) => following.signal.addEventListener('abort', () => resolve()));
    },
    clock: { now: () => 0, monotonicMs: () => 0 },
    onStuck: (error) => stuck.push(error),
  });
  const lap = async (n: number): Promise<Following> => {
    await vi.waitUntil(() => laps.length > n);
    return laps[n] as Following;
  };
  return { projector, lap, stuck };
}

describe('the projector', () => {
  afterEach(() => vi.useRealTimers());

  it('follows from the checkpoint and lets wait for a position', async () => {
    const { projector, lap } = projectorOn({ position: 7 });
    projector.start();
    const following = await lap(0);
    expect(following.after).toBe(7);
    await projector.waitFor(7);
    const waiting = projector.waitFor(9);
    await following.onEvents([event(8), event(9)]);
    await waiting;
    expect(projector.reached).toBe(9);
    await projector.stop();
  });

  it('gives up waiting in time, and says that what was written is recorded', async () => {
    vi.useFakeTimers();
    const { projector } = projectorOn({ position: 0 });
    const waiting = projector.waitFor(5).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await waiting).toMatchObject({ code: 'TCN_TIMEOUT' });
  });

  it('counts what another replica has projected', async () => {
    const store = { position: 0 };
    const { projector, lap } = projectorOn(store);
    projector.start();
    const following = await lap(0);
    store.position = 3;
    await following.onEvents([event(1)]);
    expect(projector.reached).toBe(3);
    await projector.stop();
  });

  it('is ready once caught up, not while interrupted, and again after the next batch', async () => {
    const store: { position: number; fail?: Error } = { position: 0 };
    const { projector, lap, stuck } = projectorOn(store);
    projector.start();
    const following = await lap(0);
    expect(projector.readiness()).toContain('not caught up');
    following.onCaughtUp();
    expect(projector.readiness()).toBe(true);
    following.onError(new Error('no database'));
    following.onError(new Error('no database'));
    expect(projector.readiness()).toContain('no database');
    expect(stuck).toHaveLength(1);
    await following.onEvents([event(1)]);
    expect(projector.readiness()).toBe(true);
    await projector.stop();
  });

  it('begins anew where the projection was set back', async () => {
    const store = { position: 5 };
    const { projector, lap, stuck } = projectorOn(store);
    projector.start();
    const first = await lap(0);
    first.onCaughtUp();
    store.position = 0;
    await expect(first.onEvents([event(6)])).rejects.toThrow('stands at 0');
    expect(projector.isCaughtUp).toBe(false);
    const second = await lap(1);
    expect(second.after).toBe(0);
    expect(projector.reached).toBe(0);
    expect(stuck).toEqual([]);
    await projector.stop();
  });

  it('tells its listeners of each batch, and stops when told to', async () => {
    const { projector, lap } = projectorOn({ position: 0 });
    const heard: number[] = [];
    projector.listen({
      projected: (events) => heard.push(...events.map(({ position }) => position)),
      caughtUp: () => heard.push(-1),
    });
    projector.start();
    const following = await lap(0);
    await following.onEvents([event(1), event(2)]);
    following.onCaughtUp();
    expect(heard).toEqual([1, 2, -1]);
    await projector.stop();
    expect(following.signal.aborted).toBe(true);
  });
});
