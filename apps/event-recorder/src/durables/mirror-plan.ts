import type { SavedDurable } from '@tocsin/jetstream';
import type { RememberedDurable } from './durable-table.js';

/** What a look at the broker asks to be done. */
export interface MirrorPlan {
  /** To be made again in the broker: they were lost with their stream. */
  restore: RememberedDurable[];
  /** To be remembered as they are now. */
  save: RememberedDurable[];
  /** In memory, but not in the stream they were seen in: somebody has removed them, or they are not to be seen for now. */
  missing: string[];
}

/** Compares what is remembered with what the broker has. */
export function planMirror(
  remembered: readonly RememberedDurable[],
  live: readonly SavedDurable[],
  streamCreatedAt: string,
): MirrorPlan {
  const known = new Map(remembered.map((durable) => [durable.name, durable]));
  const there = new Set(live.map(({ name }) => name));
  const gone = remembered.filter(({ name }) => !there.has(name));
  return {
    restore: gone.filter((durable) => durable.streamCreatedAt !== streamCreatedAt),
    save: live.map((durable) => ({ ...durable, streamCreatedAt })).filter((now) => differs(known.get(now.name), now)),
    missing: gone.filter((durable) => durable.streamCreatedAt === streamCreatedAt).map(({ name }) => name),
  };
}

function differs(before: RememberedDurable | undefined, now: RememberedDurable): boolean {
  return (
    before === undefined ||
    before.acked !== now.acked ||
    before.streamCreatedAt !== now.streamCreatedAt ||
    JSON.stringify(before.config) !== JSON.stringify(now.config)
  );
}
