import { HEALTH_PROBE_SOURCE, TARGET_FRESH, type HealthEventData } from '@tocsin/contracts';
import {
  newId,
  reasonOf,
  WITHHELD,
  type EventToAppend,
  type Evidence,
  type HealthEntry,
  type RecordedHealth,
} from '@tocsin/domain';
import { activeTraceparent } from '@tocsin/tracing';
import type { Target } from '../targets/target.js';
import { lifeSubject } from './recorded-state.js';

/** What goes into an event beside the change itself. */
export interface Circumstances {
  nowMs: number;
  /** Id of the event of the group that stands for this one. */
  causedBy?: string;
  damping?: { points: number; flapping: boolean };
}

/** Without a word on what kept it back: the truth came back to what was told before anybody was told otherwise. */
const SUPERSEDED = 'superseded';

/** The event of an entry. Carries the active trace context, so that the way to the receiver can be followed. */
export function healthEvent(target: Target, entry: HealthEntry, circumstances: Circumstances): EventToAppend {
  const { transition, withheld, reconciles } = entry;
  const { nowMs, causedBy } = circumstances;
  const fresh = entry.fact === 'fresh';
  const traceparent = activeTraceparent();
  const data = healthData(target, entry, circumstances.damping);
  return {
    id: newId('evt', nowMs),
    source: HEALTH_PROBE_SOURCE,
    type: fresh ? TARGET_FRESH : `io.tocsin.${target.spec.kind}.${entry.fact}`,
    subject: fresh ? lifeSubject(target.name) : target.subject,
    time: isoTime(transition.timeMs),
    extensions: {
      ...(transition.episode === undefined ? {} : { episode: transition.episode }),
      ...(withheld === undefined ? {} : { [WITHHELD]: withheld.because.join() || SUPERSEDED }),
      ...(withheld === undefined || causedBy === undefined ? {} : { causedby: causedBy }),
      ...(reconciles === undefined ? {} : { reconciles: reconciles.join() || SUPERSEDED }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    datacontenttype: 'application/json',
    data: fresh ? { name: target.name, ...data } : { ...data },
  };
}

function healthData(target: Target, entry: HealthEntry, damping: Circumstances['damping']): HealthEventData {
  const { transition, withheld } = entry;
  return {
    target: target.name,
    kind: target.spec.kind,
    labels: target.spec.labels,
    from: transition.from,
    to: transition.to,
    reason: reasonOf(transition),
    confidence: transition.confidence,
    evidence: transition.evidence.map(evidence),
    ...(transition.votes === undefined ? {} : { votes: { ...transition.votes } }),
    confirmedAt: isoTime(transition.confirmedAtMs),
    detectionMs: Math.round(transition.detectionMs),
    ...(withheld === undefined ? {} : { told: toldData(withheld.told) }),
    ...(damping === undefined ? {} : { damping }),
    ...(transition.downMs === undefined ? {} : { downMs: Math.round(transition.downMs) }),
  };
}

function toldData({ announced, sinceMs, episode }: RecordedHealth): NonNullable<HealthEventData['told']> {
  return {
    state: announced,
    ...(sinceMs === undefined ? {} : { since: isoTime(sinceMs) }),
    ...(episode === undefined ? {} : { episode }),
  };
}

function evidence(word: Evidence): HealthEventData['evidence'][number] {
  return {
    observer: word.observer,
    at: isoTime(word.atMs),
    outcome: word.outcome,
    ...(word.phase === undefined ? {} : { phase: word.phase }),
    detail: word.detail,
    durationMs: Math.round(word.durationMs * 10) / 10,
  };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
