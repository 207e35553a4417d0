import type { JsonValue } from '@tocsin/domain';
import { z } from 'zod';
import { subscriptionHealthSchema } from './delivery-events.js';
import {
  certificateDataSchema,
  configDataSchema,
  dnsDataSchema,
  flappingDataSchema,
  groupDataSchema,
  heartbeatDataSchema,
  jobDataSchema,
  maintenanceDataSchema,
  observerDataSchema,
  resourceDataSchema,
  stateDataSchema,
  targetFreshDataSchema,
  targetStaleDataSchema,
  vantageDataSchema,
} from './event-payloads.js';
import { healthEventDataSchema } from './health-event.js';
import { keyDeclaredSchema, keyRemovedSchema } from './keys.js';
import { maintenanceDeclaredSchema, maintenanceRemovedSchema } from './maintenance.js';
import {
  replayRequestedSchema,
  subscriptionDeclaredSchema,
  subscriptionRemovedSchema,
  targetDeclaredSchema,
  targetRemovedSchema,
} from './registry-events.js';
import { subscriptionTestedSchema, subscriptionTestSchema } from './subscription-trials.js';
import { targetKindSchema, type TargetKind } from './target.js';

const CATALOGUE_PREFIX = 'io.tocsin.';

/** One family of facts that share a payload. */
interface Facts<S extends z.ZodType = z.ZodType> {
  schema: S;
  /** Version of the payload schema; a change that old readers cannot take raises it. */
  version: number;
}

const facts = <S extends z.ZodType>(schema: S, version = 1): Facts<S> => ({ schema, version });

const health = facts(healthEventDataSchema);
const heartbeat = facts(heartbeatDataSchema);
const flapping = facts(flappingDataSchema);
const maintenance = facts(maintenanceDataSchema);
const state = facts(stateDataSchema);

/** Facts about a target of any kind: `io.tocsin.<kind>.<fact>`. */
export const TARGET_FACTS = {
  offline: health,
  online: health,
  degraded: health,
  restored: health,
  unknown: health,
  'heartbeat-lost': heartbeat,
  'heartbeat-resumed': heartbeat,
  'flapping-started': flapping,
  'flapping-stopped': flapping,
  'maintenance-started': maintenance,
  'maintenance-ended': maintenance,
  reconciled: state,
  snapshot: state,
} as const satisfies Record<string, Facts>;

const certificate = facts(certificateDataSchema);
const dns = facts(dnsDataSchema);
const group = facts(groupDataSchema);
const observer = facts(observerDataSchema);
const vantage = facts(vantageDataSchema);
const declaredTarget = facts(targetDeclaredSchema);
const declaredSubscription = facts(subscriptionDeclaredSchema);
const subscriptionHealth = facts(subscriptionHealthSchema);
const declaredKey = facts(keyDeclaredSchema);
const config = facts(configDataSchema);
const resource = facts(resourceDataSchema);
const job = facts(jobDataSchema);

/** All other facts, by type without `io.tocsin.`. */
export const OTHER_FACTS = {
  'certificate.expiring': certificate,
  'certificate.expired': certificate,
  'certificate.renewed': certificate,
  'certificate.changed': certificate,
  'certificate.invalid': certificate,
  'certificate.mismatched': certificate,
  'certificate.updated': certificate,
  'dns.failing': dns,
  'dns.recovered': dns,
  'dns.changed': dns,
  'group.outage': group,
  'group.recovered': group,
  'observer.isolated': observer,
  'observer.rejoined': observer,
  'observer.lost': observer,
  'observer.joined': observer,
  'observer.lagging': observer,
  'observer.ontime': observer,
  'vantage.diverged': vantage,
  'vantage.converged': vantage,
  'target.registered': declaredTarget,
  'target.updated': declaredTarget,
  'target.removed': facts(targetRemovedSchema),
  'target.stale': facts(targetStaleDataSchema),
  'target.fresh': facts(targetFreshDataSchema),
  'subscription.created': declaredSubscription,
  'subscription.updated': declaredSubscription,
  'subscription.removed': facts(subscriptionRemovedSchema),
  'subscription.paused': declaredSubscription,
  'subscription.resumed': declaredSubscription,
  'subscription.replay-requested': facts(replayRequestedSchema),
  'subscription.test': facts(subscriptionTestSchema),
  'subscription.tested': facts(subscriptionTestedSchema),
  'subscription.disabled': subscriptionHealth,
  'subscription.misconfigured': subscriptionHealth,
  'subscription.gone': subscriptionHealth,
  'subscription.auth-failing': subscriptionHealth,
  'subscription.auth-restored': subscriptionHealth,
  'subscription.failing': subscriptionHealth,
  'subscription.recovered': subscriptionHealth,
  'key.created': declaredKey,
  'key.updated': declaredKey,
  'key.removed': facts(keyRemovedSchema),
  'maintenance.declared': facts(maintenanceDeclaredSchema),
  'maintenance.removed': facts(maintenanceRemovedSchema),
  'config.deployed': config,
  'config.deploy-failed': config,
  'config.rolled-back': config,
  'config.sync-lagging': config,
  'config.sync-caught-up': config,
  'resource.cpu-high': resource,
  'resource.cpu-normal': resource,
  'resource.memory-high': resource,
  'resource.memory-normal': resource,
  'resource.disk-high': resource,
  'resource.disk-normal': resource,
  'job.missed': job,
  'job.failed': job,
  'job.recovered': job,
} as const satisfies Record<string, Facts>;

/** Every type of the catalogue. */
export type CatalogueType =
  `io.tocsin.${TargetKind}.${keyof typeof TARGET_FACTS}` | `io.tocsin.${keyof typeof OTHER_FACTS}`;

/** Payload of an event by its type; any JSON, or none, where the type is not in the catalogue. */
export type EventData<Type extends string> =
  Type extends `io.tocsin.${TargetKind}.${infer Fact extends keyof typeof TARGET_FACTS}`
    ? z.output<(typeof TARGET_FACTS)[Fact]['schema']>
    : Type extends `io.tocsin.${infer Fact extends keyof typeof OTHER_FACTS}`
      ? z.output<(typeof OTHER_FACTS)[Fact]['schema']>
      : JsonValue | undefined;

/** What the catalogue says of a type. */
export interface CatalogueEntry {
  type: string;
  /** Version of the payload schema. An event without `dataschema` has version 1. */
  version: number;
  /** The URI that names schema and version: what the event's `dataschema` says where it says anything. */
  dataschema: string;
  schema: z.ZodType;
}

/** URI of a payload schema: `urn:tocsin:event:io.tocsin.node.offline:1`. */
export function dataSchemaUri(type: string, version: number): string {
  return `urn:tocsin:event:${type}:${version}`;
}

function entries(): CatalogueEntry[] {
  const entry = (name: string, { schema, version }: Facts): CatalogueEntry => {
    const type = CATALOGUE_PREFIX + name;
    return { type, version, dataschema: dataSchemaUri(type, version), schema };
  };
  return [
    ...targetKindSchema.options.flatMap((kind) =>
      Object.entries(TARGET_FACTS).map(([fact, each]) => entry(`${kind}.${fact}`, each)),
    ),
    ...Object.entries(OTHER_FACTS).map(([name, each]) => entry(name, each)),
  ];
}

/** Every event type Tocsin knows, with the schema of its payload. Producers' own types are not in it and may carry any JSON. */
export const EVENT_CATALOGUE: ReadonlyMap<string, CatalogueEntry> = new Map(
  entries().map((entry) => [entry.type, entry]),
);

/**
 * Is this an event of that type, and its payload what the catalogue says of it? After it the compiler knows `event.data`.
 * An event of the type whose payload is something else is none (it was written under another version of the schema).
 */
export function isEventOf<Type extends CatalogueType, Event extends { type: string; data?: unknown }>(
  event: Event,
  type: Type,
): event is Event & { type: Type; data: EventData<Type> } {
  return event.type === type && EVENT_CATALOGUE.get(type)?.schema.safeParse(event.data).success === true;
}
