import { heartbeatDataSchema, REGISTRY_EVENTS, TARGET_FRESH, TARGET_STALE } from '@tocsin/contracts';
import {
  lossNews,
  WITHHELD,
  type JsonObject,
  type LossNews,
  type LossObserved,
  type LossStanding,
  type RecordedEvent,
} from '@tocsin/domain';
import { lifeSubject } from '../report/recorded-state.js';
import type { Target } from '../targets/target.js';
import type { NewFact, Topic } from './fact-ledger.js';

/** Without a word on what kept it back: it was over before anybody was told. */
const SUPERSEDED = 'superseded';

/** Whether only the heartbeat is missing, and what goes with it. */
export interface LossSeen extends LossObserved {
  reason: string;
  /** The last heartbeat, epoch milliseconds; absent where this observer has heard none. */
  lastMs?: number;
  /** When it was noticed, epoch milliseconds. */
  nowMs: number;
}

/** The heartbeat of a target that is well; subject `<kind>/<target>`, as its state. */
export function heartbeatTopic(target: Target): Topic<LossStanding, LossSeen> {
  const { subject, spec } = target;
  return {
    subject,
    types: [`io.tocsin.${spec.kind}.heartbeat-lost`, `io.tocsin.${spec.kind}.heartbeat-resumed`],
    standing: standingIn,
    decide: (before, seen) => {
      const { news, standing } = lossNews(subject, before, seen);
      const facts = news.map((one): NewFact => ({
        type: `io.tocsin.${spec.kind}.${one.fact}`,
        timeMs: seen.sinceMs,
        extensions: {
          episode: one.episode,
          ...(one.withheld === undefined ? {} : { [WITHHELD]: one.withheld.because.join() || SUPERSEDED }),
          ...(one.reconciles === undefined ? {} : { reconciles: SUPERSEDED }),
        },
        data: dataOf(target, seen, one),
      }));
      return { facts, standing };
    },
  };
}

function dataOf({ name, spec }: Target, { reason, lastMs, nowMs, lost }: LossSeen, { withheld }: LossNews): JsonObject {
  return {
    ...{ target: name, kind: spec.kind, labels: spec.labels, reason },
    ...(spec.check.type === 'heartbeat' ? { interval: spec.check.interval } : {}),
    ...(lastMs === undefined ? {} : { lastHeartbeatAt: new Date(lastMs).toISOString() }),
    ...(lost && lastMs !== undefined ? { silentMs: Math.max(0, Math.round(nowMs - lastMs)) } : {}),
    ...(withheld === undefined ? {} : { told: withheld.told }),
  };
}

function standingIn(newest: RecordedEvent | undefined): LossStanding {
  const lost = newest?.type.endsWith('-lost') === true;
  const told = heartbeatDataSchema.safeParse(newest?.data).data?.told ?? lost;
  const episode = newest?.extensions['episode'];
  return { lost, told, ...((lost || told) && typeof episode === 'string' ? { episode } : {}) };
}

/** That a target has never been heard of: said once in its life, however many observers wait for it. Observed: since when. */
export function unheardTopic({ name, spec }: Target): Topic<boolean, { nowMs: number }> {
  return {
    subject: lifeSubject(name),
    types: [REGISTRY_EVENTS.targetRegistered, TARGET_FRESH, TARGET_STALE],
    standing: (newest) => newest?.type === TARGET_STALE,
    decide: (said, { nowMs }) => ({
      standing: true,
      facts: said ? [] : [{ type: TARGET_STALE, timeMs: nowMs, data: { name, kind: spec.kind, labels: spec.labels } }],
    }),
  };
}
