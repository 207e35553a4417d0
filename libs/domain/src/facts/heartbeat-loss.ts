import { episodeId } from '../health/episode.js';
import type { Overlay } from '../health/suppression.js';

/** What the log holds of a target's heartbeat. */
export interface LossStanding {
  lost: boolean;
  /** What subscribers know; differs from `lost` where that was kept back. */
  told: boolean;
  /** Of the loss that is open. */
  episode?: string;
}

/** What is so now. */
export interface LossObserved {
  lost: boolean;
  /** Since when, epoch milliseconds. */
  sinceMs: number;
  /** What lies over the target. */
  overlays: readonly Overlay[];
}

/** One thing to say of a heartbeat. */
export interface LossNews {
  fact: 'heartbeat-lost' | 'heartbeat-resumed';
  episode: string;
  /** Present on what is stored and told to nobody: why, and what they know instead. */
  withheld?: { because: readonly Overlay[]; told: boolean };
  /** It makes up for what was kept back. */
  reconciles?: true;
}

export interface LossDecision {
  news: readonly LossNews[];
  standing: LossStanding;
}

/**
 * What is news of a heartbeat, after what has been said of it. As with the target's state: an overlay deletes nothing, and what was kept back
 * is made up for when it is lifted, if it is still so.
 */
export function lossNews(subject: string, standing: LossStanding, observed: LossObserved): LossDecision {
  const { lost, overlays } = observed;
  const changed = lost !== standing.lost;
  const due = overlays.length === 0 && lost !== standing.told;
  if (!changed && !due) return { news: [], standing };
  const episode = standing.episode ?? episodeId(`${subject} heartbeat`, observed.sinceMs);
  const told = due ? lost : standing.told;
  const news: LossNews = {
    fact: lost ? 'heartbeat-lost' : 'heartbeat-resumed',
    episode,
    ...(due ? {} : { withheld: { because: overlays, told } }),
    ...(changed ? {} : { reconciles: true }),
  };
  // The episode lasts until both are over: the loss, and what subscribers know of it.
  return { news: [news], standing: { lost, told, ...(lost || told ? { episode } : {}) } };
}
