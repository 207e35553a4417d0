import { z } from 'zod';
import { healthEventDataSchema } from './health-event.js';
import { labelsSchema, nameSchema, timestampSchema } from './primitives.js';
import { actorSchema } from './registry-events.js';
import { announcedStateSchema, targetKindSchema } from './target.js';

const durationMs = (description: string) =>
  z
    .number()
    .min(0)
    .meta({ description: `${description}, milliseconds` });

/** What every event about a target says first. */
const ofTarget = { target: nameSchema, kind: targetKindSchema, labels: labelsSchema };

/** Payload of `io.tocsin.<kind>.heartbeat-lost` and `.heartbeat-resumed`. */
export const heartbeatDataSchema = z
  .looseObject({
    ...ofTarget,
    lastHeartbeatAt: timestampSchema.optional(),
    missed: z.int().min(0).optional().meta({ description: 'Heartbeats that did not come' }),
    silentMs: durationMs('How long nothing was heard').optional(),
    told: z.boolean().optional().meta({ description: 'On an event that is withheld: do subscribers know it as lost?' }),
    reason: z.string().optional(),
  })
  .meta({ id: 'HeartbeatEventData' });

/** Payload of `io.tocsin.<kind>.flapping-started` and `.flapping-stopped`. */
export const flappingDataSchema = z
  .looseObject({
    ...ofTarget,
    state: announcedStateSchema
      .optional()
      .meta({ description: 'State at this moment; when flapping stops, the final one' }),
    points: z.number().optional().meta({ description: 'Damping points at this moment' }),
    transitions: z.int().min(0).optional().meta({ description: 'Changes confirmed while nothing was announced' }),
    flappingMs: durationMs('How long it flapped').optional(),
  })
  .meta({ id: 'FlappingEventData' });

/** Payload of `io.tocsin.<kind>.maintenance-started` and `.maintenance-ended`. */
export const maintenanceDataSchema = z
  .looseObject({
    ...ofTarget,
    window: nameSchema.optional(),
    state: announcedStateSchema.optional(),
    endsAt: timestampSchema.optional(),
    withheld: z.int().min(0).optional().meta({ description: 'Changes recorded and not announced during the window' }),
  })
  .meta({ id: 'MaintenanceEventData' });

/** Payload of `io.tocsin.<kind>.reconciled` and `.snapshot`: what is so, without a change that could be announced. */
export const stateDataSchema = z
  .looseObject({
    ...ofTarget,
    state: announcedStateSchema.optional(),
    since: timestampSchema.optional(),
    announced: announcedStateSchema.optional().meta({ description: 'What was last announced, where it differs' }),
    reason: z.string().optional(),
  })
  .meta({ id: 'StateEventData' });

/** A certificate that has been seen, and what has been said of it: never twice. */
export const knownCertificateSchema = z.object({
  fingerprint: z.string(),
  notBefore: timestampSchema,
  notAfter: timestampSchema,
  issuer: z.string(),
  names: z.array(z.string()),
  marks: z.array(z.enum(['expiring-25', 'expiring-10', 'expired', 'invalid', 'mismatched'])),
});

/** Payload of `io.tocsin.certificate.*`, whoever noticed. */
export const certificateDataSchema = z
  .looseObject({
    target: nameSchema.optional(),
    labels: labelsSchema.optional(),
    host: z.string().optional(),
    serverName: z.string().optional(),
    fingerprint: z.string().optional().meta({ description: 'SHA-256 of the certificate, hex' }),
    previousFingerprint: z.string().optional(),
    notBefore: timestampSchema.optional(),
    notAfter: timestampSchema.optional(),
    lifetimeLeft: z.number().optional().meta({ description: 'Share of its lifetime that is left, 0 to 1' }),
    issuer: z.string().optional(),
    names: z.array(z.string()).optional().meta({ description: 'Names it is for' }),
    reason: z.string().optional(),
    known: z.array(knownCertificateSchema).optional().meta({
      description:
        'Of Tocsin’s own: the certificates of the target up to here, the newest first, and what was said of each',
    }),
  })
  .meta({ id: 'CertificateEventData' });

/** Payload of `io.tocsin.dns.*`. */
export const dnsDataSchema = z
  .looseObject({
    target: nameSchema.optional(),
    labels: labelsSchema.optional(),
    name: z.string(),
    record: z.string().optional(),
    answers: z.array(z.string()).optional(),
    previousAnswers: z.array(z.string()).optional(),
    rcode: z.string().optional(),
    failing: z.boolean().optional().meta({ description: 'Is the check failing after this event?' }),
    reason: z.string().optional(),
  })
  .meta({ id: 'DnsEventData' });

/** Payload of `io.tocsin.group.outage` and `.recovered`. */
export const groupDataSchema = z
  .looseObject({
    group: z.string().meta({ description: 'What the members share: a label `site=fra`, or their parent' }),
    labels: labelsSchema.optional(),
    members: z.array(z.string()).meta({ description: 'Subjects of the targets concerned, the first thousand of them' }),
    failing: z.int().min(0).meta({ description: 'How many are concerned, named or not' }).optional(),
    size: z.int().min(0).meta({ description: 'Targets in the group' }),
    downMs: durationMs('On a recovery: how long the outage lasted').optional(),
  })
  .meta({ id: 'GroupEventData' });

/** Payload of `io.tocsin.observer.*`: an observer about itself. */
export const observerDataSchema = z
  .looseObject({
    observer: z.string(),
    labels: labelsSchema.optional(),
    reason: z.string().optional(),
    isolatedMs: durationMs('On rejoining: how long it was cut off').optional(),
    lagMs: durationMs('How late its timers were').optional(),
  })
  .meta({ id: 'ObserverEventData' });

/** Payload of `io.tocsin.vantage.*`: places that see a target differently. */
export const vantageDataSchema = z
  .looseObject({
    target: nameSchema.optional(),
    labels: labelsSchema.optional(),
    observer: z.string().optional(),
    observers: z.array(z.string()).optional(),
    reason: z.string().optional(),
  })
  .meta({ id: 'VantageEventData' });

/** Payload of `io.tocsin.target.fresh`: the first verdict, which is not announced as a recovery. */
export const targetFreshDataSchema = healthEventDataSchema
  .extend({ name: nameSchema })
  .meta({ id: 'TargetFreshEventData' });

/** Payload of `io.tocsin.target.stale`: nobody has looked at it for too long. */
export const targetStaleDataSchema = z
  .object({ name: nameSchema, kind: targetKindSchema, labels: labelsSchema, lastCheckedAt: timestampSchema.optional() })
  .meta({ id: 'TargetStaleEventData' });

const produced = { labels: labelsSchema.optional(), reason: z.string().optional() };

/** Payload of `io.tocsin.config.*`, produced by whoever distributes configuration. */
export const configDataSchema = z
  .looseObject({
    ...produced,
    version: z.string().optional(),
    previousVersion: z.string().optional(),
    actor: actorSchema.optional(),
    lagMs: durationMs('How far behind').optional(),
  })
  .meta({ id: 'ConfigEventData' });

/** Payload of `io.tocsin.resource.*`, produced by agents on the machines. */
export const resourceDataSchema = z
  .looseObject({
    ...produced,
    percent: z.number().min(0).optional().meta({ description: 'Use, percent' }),
    thresholdPercent: z.number().min(0).optional(),
    device: z.string().optional(),
  })
  .meta({ id: 'ResourceEventData' });

/** Payload of `io.tocsin.job.*`, produced by schedulers. */
export const jobDataSchema = z
  .looseObject({
    ...produced,
    job: z.string().optional(),
    dueAt: timestampSchema.optional(),
    exitCode: z.int().optional(),
    durationMs: durationMs('How long it ran').optional(),
  })
  .meta({ id: 'JobEventData' });
