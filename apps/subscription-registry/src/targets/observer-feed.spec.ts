import { targetSpecSchema, type WatchedTarget } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { WatchOptions } from '@tocsin/jetstream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recorded } from '../recorded.harness.js';
import { ObserverFeed, type TargetsBucket } from './observer-feed.js';

const SPEC = targetSpecSchema.parse({ kind: 'node', check: { type: 'tcp', host: 'a.example', port: 1 } });
const target = (name: string, revision: number): WatchedTarget => ({ name, revision, spec: SPEC });

/** A bucket in memory, whose watch tells a little later, as the real one does. */
class MemoryBucket implements TargetsBucket {
  readonly entries = new Map<string, { value: unknown; revision: number }>();
  #revision = 0;
  #watch: WatchOptions | undefined;

  async put(key: string, value: unknown, options: { revision?: number } = {}): Promise<number> {
    this.#check(key, options.revision);
    const revision = (this.#revision += 1);
    this.entries.set(key, { value, revision });
    queueMicrotask(() => void this.#watch?.onPut({ key, value, revision }));
    return revision;
  }

  async delete(key: string, options: { revision?: number } = {}): Promise<void> {
    this.#check(key, options.revision);
    this.#revision += 1;
    this.entries.delete(key);
    queueMicrotask(() => void this.#watch?.onDelete(key));
  }

  watch(options: WatchOptions) {
    this.#watch = options;
    queueMicrotask(() => this.tellAll());
    return { close: async () => undefined };
  }

  /** The broker's store is lost; a new bucket is there, empty. */
  lose(): void {
    this.entries.clear();
    this.#revision = 0;
    void this.#watch?.onReset?.();
    this.tellAll();
  }

  tellAll(): void {
    for (const [key, { value, revision }] of this.entries) void this.#watch?.onPut({ key, value, revision });
    void this.#watch?.onSynced?.();
  }

  #check(key: string, revision: number | undefined): void {
    if (revision === undefined || (this.entries.get(key)?.revision ?? 0) === revision) return;
    throw new TocsinError('TCN_PRECONDITION_FAILED', 'not at that revision');
  }
}

let feed: ObserverFeed | undefined;
afterEach(() => feed?.stop());

function feedOf(
  declared: Map<string, WatchedTarget>,
  hooks: { onRevisions?: () => void; setBack?: () => boolean } = {},
) {
  const bucket = new MemoryBucket();
  const errors: unknown[] = [];
  let caughtUp = true;
  const made = new ObserverFeed({
    openBucket: async () => bucket,
    source: {
      revisions: async () => {
        const all = [...declared.values()].map(({ name, revision }) => ({ name, revision }));
        hooks.onRevisions?.();
        return all;
      },
      withCurrent: async (names, work) => {
        if (hooks.setBack?.() === true) return false;
        await work(new Map([...declared].filter(([name]) => names.includes(name))));
        return true;
      },
    },
    isCaughtUp: () => caughtUp,
    onError: (error) => errors.push(error),
  });
  feed = made;
  const shows = async () => {
    await vi.waitFor(() => {
      const shown = [...bucket.entries].map(([key, { value }]) => [key, value]);
      expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(declared));
    });
  };
  const changed = (name: string) =>
    made.projected([recorded(1, { type: 'io.tocsin.target.updated', subject: `target/${name}` })]);
  return { bucket, feed: made, errors, shows, changed, setCaughtUp: (now: boolean) => (caughtUp = now) };
}

describe('the feed to the observers', () => {
  it('brings what is declared, its changes and its removals', async () => {
    const declared = new Map([['a', target('a', 1)]]);
    const { feed: made, shows, changed, bucket } = feedOf(declared);
    expect(made.readiness()).not.toBe(true);
    await bucket.put('left-over', target('left-over', 99));
    made.start();
    await shows();
    await vi.waitFor(() => expect(made.readiness()).toBe(true));
    declared.set('b', target('b', 2)).set('a', target('a', 3));
    changed('a');
    changed('b');
    await shows();
    declared.delete('a');
    changed('a');
    await shows();
  });

  it('mends what somebody else wrote, and a bucket that was lost', async () => {
    const declared = new Map([['a', target('a', 1)]]);
    const { feed: made, shows, bucket } = feedOf(declared);
    made.start();
    await shows();
    await bucket.put('a', { nonsense: true });
    await bucket.put('b', target('b', 7));
    await shows();
    bucket.lose();
    await shows();
  });

  it('loses no change that comes while it compares everything', async () => {
    const declared = new Map([['a', target('a', 1)]]);
    let meanwhile: (() => void) | undefined;
    const {
      feed: made,
      shows,
      changed,
    } = feedOf(declared, {
      onRevisions: () => {
        meanwhile?.();
        meanwhile = undefined;
      },
    });
    made.start();
    await shows();
    meanwhile = () => {
      declared.set('b', target('b', 2));
      changed('b');
    };
    made.caughtUp();
    await vi.waitFor(() => expect(declared.has('b')).toBe(true));
    await shows();
  });

  it('writes nothing while the projection does not show the present, or was set back', async () => {
    const declared = new Map([['a', target('a', 1)]]);
    let setBack = false;
    const { feed: made, shows, changed, bucket, errors, setCaughtUp } = feedOf(declared, { setBack: () => setBack });
    made.start();
    await shows();
    const before = structuredClone(bucket.entries);
    setCaughtUp(false);
    declared.clear();
    changed('a');
    setCaughtUp(true);
    setBack = true;
    changed('a');
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    expect(bucket.entries).toEqual(before);
    expect(made.readiness()).not.toBe(true);
    setBack = false;
    await vi.waitFor(() => expect(bucket.entries.size).toBe(0), { timeout: 3_000 });
  });
});
