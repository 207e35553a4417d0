import { context, propagation } from '@opentelemetry/api';
import { HEALTH_PROBE_SOURCE, TARGET_FRESH, type HealthEventData } from '@tocsin/contracts';
import { newId, reasonOf, type EventToAppend, type Evidence, type HealthFact, type Transition } from '@tocsin/domain';
import type { Target } from '../targets/target.js';
import { lifeSubject } from './recorded-state.js';

/** The event that announces a transition. Carries the active trace context, so that the way to the receiver can be followed. */
export function healthEvent(target: Target, fact: HealthFact, transition: Transition, nowMs: number): EventToAppend {
  const fresh = fact === 'fresh';
  const data = healthData(target, transition);
  return {
    id: newId('evt', nowMs),
    source: HEALTH_PROBE_SOURCE,
    type: fresh ? TARGET_FRESH : `io.tocsin.${target.spec.kind}.${fact}`,
    subject: fresh ? lifeSubject(target.name) : target.subject,
    time: isoTime(transition.timeMs),
    extensions: {
      ...(transition.episode === undefined ? {} : { episode: transition.episode }),
      ...traceExtension(),
    },
    datacontenttype: 'application/json',
    data: fresh ? { name: target.name, ...data } : { ...data },
  };
}

function healthData(target: Target, transition: Transition): HealthEventData {
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
    ...(transition.downMs === undefined ? {} : { downMs: Math.round(transition.downMs) }),
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

function traceExtension(): { traceparent?: string } {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent === undefined ? {} : { traceparent: carrier.traceparent };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
