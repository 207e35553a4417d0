import {
  announcedStateSchema,
  HEALTH_PROBE_SOURCE,
  healthEventDataSchema,
  targetSubject,
  type TargetKind,
} from '@tocsin/contracts';
import { factBetween, isWithheld, type RecordedEvent } from '@tocsin/domain';
import { z } from 'zod';
import type { Declaration } from '../log/registry-log.js';

/** Facts that say in which state a target is; whoever subscribed to one of the first is owed one of the last. */
export const STATE_FACTS = ['offline', 'online', 'degraded', 'restored', 'unknown'] as const;

/** What a person on call reads when the alarm ends because nobody looks any more. */
const REASON = 'the target is no longer watched';

/** What subscribers know, on an event that was kept from them. */
const toldSchema = z.object({
  told: z.object({ state: announcedStateSchema, since: z.string().optional(), episode: z.string().optional() }),
});

/** What subscribers were told last. */
interface Told {
  readonly state: z.infer<typeof announcedStateSchema>;
  readonly since?: string;
  readonly episode?: string;
}

/**
 * The event that ends an outage whose target is watched no longer: without it, whoever was told of the beginning would wait for ever
 * for the end. It is of the type he subscribed to as the recovery, carries the same episode, and its reason says that nothing has
 * recovered. Its source is the observers': who reads the state of a target reads what they said.
 * @param newest of the events about the target's state
 * @param version of the subject `<kind>/<name>`
 * @returns undefined where subscribers know of nothing that is open
 */
export function closingEvent(input: {
  kind: TargetKind;
  name: string;
  newest: RecordedEvent | undefined;
  version: number;
  nowMs: number;
}): Declaration | undefined {
  const { kind, name, newest, nowMs } = input;
  const data = healthEventDataSchema.safeParse(newest?.data);
  if (newest === undefined || !data.success) return undefined;
  const told = toldBy(newest, data.data.to);
  const fact = factBetween(told.state, 'up');
  if (fact === undefined || fact === 'fresh') return undefined;
  const sinceMs = told.since === undefined ? undefined : Date.parse(told.since);
  const time = new Date(nowMs).toISOString();
  return {
    type: `io.tocsin.${kind}.${fact}`,
    source: HEALTH_PROBE_SOURCE,
    subject: targetSubject(kind, name),
    ...(told.episode === undefined ? {} : { extensions: { episode: told.episode } }),
    data: {
      target: name,
      kind,
      labels: data.data.labels,
      from: told.state,
      to: 'up',
      reason: REASON,
      confidence: 'single',
      evidence: [],
      confirmedAt: time,
      detectionMs: 0,
      ...(told.state === 'down' && sinceMs !== undefined ? { downMs: Math.max(0, nowMs - sinceMs) } : {}),
    },
    expectedVersion: input.version,
  };
}

function toldBy(event: RecordedEvent, state: Told['state']): Told {
  if (isWithheld(event)) {
    const kept = toldSchema.safeParse(event.data);
    if (!kept.success) return { state: 'pending' };
    const { state: known, since, episode } = kept.data.told;
    return { state: known, ...(since === undefined ? {} : { since }), ...(episode === undefined ? {} : { episode }) };
  }
  const episode = event.extensions['episode'];
  return { state, since: event.time, ...(typeof episode === 'string' ? { episode } : {}) };
}
