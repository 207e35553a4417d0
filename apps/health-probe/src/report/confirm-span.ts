import type { Span } from '@opentelemetry/api';
import type { HealthEntry } from '@tocsin/domain';
import { startSpan } from '@tocsin/tracing';
import type { Target } from '../targets/target.js';

/**
 * Begins the span of a change, back at its first failing (passing) probe. Every probe and vote that decided is an event in it, without
 * what was answered: that may hold what the check knows of the target.
 */
export function confirmSpan(target: Target, entry: HealthEntry): Span {
  const { fact, transition, withheld } = entry;
  const { votes, episode } = transition;
  const span = startSpan('confirm', {
    parent: 'none',
    startMs: transition.timeMs,
    attributes: {
      'tocsin.subject': target.subject,
      'tocsin.target.kind': target.spec.kind,
      'tocsin.fact': fact,
      'tocsin.confidence': transition.confidence,
      'tocsin.detection_ms': Math.round(transition.detectionMs),
      ...(withheld === undefined ? {} : { 'tocsin.withheld': [...withheld.because] }),
      ...(episode === undefined ? {} : { 'tocsin.episode': episode }),
      ...(votes === undefined ? {} : { 'tocsin.votes.fail': votes.fail, 'tocsin.votes.pass': votes.pass }),
    },
  });
  for (const { observer, atMs, outcome, phase, durationMs } of transition.evidence) {
    const attributes = {
      'tocsin.observer': observer,
      'tocsin.probe.outcome': outcome,
      'tocsin.probe.duration_ms': Math.round(durationMs),
      ...(phase === undefined ? {} : { 'tocsin.probe.phase': phase }),
    };
    span.addEvent('probe', attributes, atMs);
  }
  return span;
}
