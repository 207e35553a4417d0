import type { AnnouncedHealth, Transition } from './state.js';

/** What the store holds as the newest announcement about a target. */
export interface RecordedHealth {
  announced: AnnouncedHealth;
  sinceMs?: number;
  episode?: string;
}

/** Third segment of the event's type; `fresh` is about the target as such (`io.tocsin.target.fresh`). */
export type HealthFact = 'offline' | 'online' | 'degraded' | 'restored' | 'unknown' | 'fresh';

/**
 * The fact that leads from what the store holds to `to`; undefined where the store says so already. The first `up` of a
 * target is no news to anybody: it is recorded as `fresh`.
 */
export function factBetween(recorded: AnnouncedHealth, to: AnnouncedHealth): HealthFact | undefined {
  if (recorded === to) return undefined;
  switch (to) {
    case 'down':
      return 'offline';
    case 'degraded':
      return 'degraded';
    case 'unknown':
      return 'unknown';
    case 'up':
      if (recorded === 'pending') return 'fresh';
      return recorded === 'degraded' ? 'restored' : 'online';
    case 'pending':
      return undefined;
  }
}

/**
 * The transition as it has to be announced after what the store holds: its `from` and its episode are the recorded ones, so
 * that a recovery closes the very outage that was announced. Undefined where there is nothing left to say.
 */
export function announcementAfter(
  recorded: RecordedHealth,
  transition: Transition,
): { fact: HealthFact; transition: Transition } | undefined {
  const fact = factBetween(recorded.announced, transition.to);
  if (fact === undefined) return undefined;
  const episode = recorded.episode ?? (fact === 'fresh' ? undefined : transition.episode);
  const { episode: _own, downMs: _downMs, ...rest } = transition;
  return {
    fact,
    transition: {
      ...rest,
      from: recorded.announced,
      ...(episode === undefined ? {} : { episode }),
      ...(recorded.announced === 'down' && recorded.sinceMs !== undefined
        ? { downMs: Math.max(0, transition.timeMs - recorded.sinceMs) }
        : {}),
    },
  };
}

/** One sentence a person on call wants to read. */
export function reasonOf(transition: Transition): string {
  const words = transition.evidence.filter((word) => word.outcome !== 'abstain');
  const newest = words.findLast((word) => word.outcome === (transition.to === 'down' ? 'fail' : word.outcome));
  const detail = newest?.detail ?? 'no detail';
  if (transition.to === 'down' && transition.votes !== undefined && transition.confidence === 'quorum') {
    return `${transition.votes.fail} of ${transition.votes.fail + transition.votes.pass} observers: ${detail}`;
  }
  return detail;
}
