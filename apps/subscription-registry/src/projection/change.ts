import {
  type AnnouncedState,
  announcedStateSchema,
  DELIVERY_EVENTS,
  DELIVERY_SOURCE,
  HEALTH_PROBE_SOURCE,
  healthEventDataSchema,
  KEY_EVENTS,
  keyDeclaredSchema,
  keyRemovedSchema,
  type HeartbeatTokens,
  type KeySpec,
  nameSchema,
  REGISTRY_EVENTS,
  subscriptionDeclaredSchema,
  subscriptionHealthSchema,
  subscriptionRemovedSchema,
  type SubscriptionSpec,
  TARGET_FRESH,
  targetDeclaredSchema,
  targetKindSchema,
  targetRemovedSchema,
  targetSubject,
  type TargetKind,
  type TargetSpec,
} from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { z } from 'zod';

/** Source of the registry's own events. Only they declare or remove anything. */
export const REGISTRY_SOURCE = 'tocsin/subscription-registry';

/** What one event changes in the projection. */
export type Change =
  | {
      readonly kind: 'target-declared';
      readonly name: string;
      readonly spec: TargetSpec;
      /** A new life of the name begins: it is pending, unless an outage is still open. */
      readonly begins: boolean;
      readonly heartbeat?: HeartbeatTokens;
      readonly owner?: string;
    }
  | { readonly kind: 'target-removed'; readonly name: string }
  | {
      readonly kind: 'target-judged';
      readonly targetKind: TargetKind;
      readonly name: string;
      readonly state: AnnouncedState;
      /** When the state became true, RFC 3339. */
      readonly since: string;
      /** The open episode; absent once a recovery has closed it. */
      readonly episode?: string;
    }
  | {
      readonly kind: 'subscription-declared';
      readonly name: string;
      readonly spec: SubscriptionSpec;
      readonly sealedRef: string;
      readonly owner?: string;
    }
  | { readonly kind: 'subscription-removed'; readonly name: string }
  | {
      readonly kind: 'subscription-disabled';
      readonly name: string;
      /** Position of the declaration that it holds for; a later one makes it void. */
      readonly revision: number;
      /** RFC 3339. */
      readonly since: string;
      readonly reason: string;
      readonly answer?: string;
    }
  | { readonly kind: 'key-declared'; readonly name: string; readonly spec: KeySpec; readonly keyId: string }
  | { readonly kind: 'key-removed'; readonly name: string };

const owned = z.object({ owner: nameSchema.optional() });
const targetDeclared = targetDeclaredSchema.extend(owned.shape);
const subscriptionDeclared = subscriptionDeclaredSchema.extend(owned.shape);
const firstVerdict = z.object({ name: nameSchema, kind: targetKindSchema, to: announcedStateSchema });

/**
 * What `event` changes; undefined where it changes nothing here.
 * @throws ZodError for an event of the registry itself that this version cannot read. To skip it would lose it for every replica,
 *   since they share one projection; so the projector stops, and a newer replica goes on.
 */
export function changeOf(event: RecordedEvent): Change | undefined {
  if (event.source === REGISTRY_SOURCE) return declarationOf(event);
  if (event.source === HEALTH_PROBE_SOURCE) return verdictOf(event);
  if (event.source === DELIVERY_SOURCE) return disablementOf(event);
  return undefined;
}

function declarationOf(event: RecordedEvent): Change | undefined {
  switch (event.type) {
    case REGISTRY_EVENTS.targetRegistered:
    case REGISTRY_EVENTS.targetUpdated: {
      const { name, spec, owner, heartbeat } = targetDeclared.parse(event.data);
      const begins = event.type === REGISTRY_EVENTS.targetRegistered;
      const more = { ...(owner === undefined ? {} : { owner }), ...(heartbeat === undefined ? {} : { heartbeat }) };
      return { kind: 'target-declared', name, spec, begins, ...more };
    }
    case REGISTRY_EVENTS.targetRemoved:
      return { kind: 'target-removed', name: targetRemovedSchema.parse(event.data).name };
    case REGISTRY_EVENTS.subscriptionCreated:
    case REGISTRY_EVENTS.subscriptionUpdated:
    case REGISTRY_EVENTS.subscriptionPaused:
    case REGISTRY_EVENTS.subscriptionResumed: {
      const { name, spec, sealedRef, owner } = subscriptionDeclared.parse(event.data);
      return { kind: 'subscription-declared', name, spec, sealedRef, ...(owner === undefined ? {} : { owner }) };
    }
    case REGISTRY_EVENTS.subscriptionRemoved:
      return { kind: 'subscription-removed', name: subscriptionRemovedSchema.parse(event.data).name };
    case KEY_EVENTS.created:
    case KEY_EVENTS.updated: {
      const { name, spec, keyId } = keyDeclaredSchema.parse(event.data);
      return { kind: 'key-declared', name, spec, keyId };
    }
    case KEY_EVENTS.removed:
      return { kind: 'key-removed', name: keyRemovedSchema.parse(event.data).name };
    default:
      return undefined;
  }
}

/** Observers' events carry other payloads too (isolation, divergence); whatever is no verdict on a target changes nothing. */
function verdictOf(event: RecordedEvent): Change | undefined {
  if (event.type === TARGET_FRESH) {
    const verdict = firstVerdict.safeParse(event.data);
    if (!verdict.success) return undefined;
    const { kind, name, to } = verdict.data;
    return { kind: 'target-judged', targetKind: kind, name, state: to, since: event.time };
  }
  const health = healthEventDataSchema.safeParse(event.data);
  if (!health.success) return undefined;
  const { kind, target, to } = health.data;
  if (event.subject !== targetSubject(kind, target)) return undefined;
  const episode = event.extensions['episode'];
  const open = to !== 'up' && typeof episode === 'string' ? { episode } : {};
  return { kind: 'target-judged', targetKind: kind, name: target, state: to, since: event.time, ...open };
}

/** Delivery owns what is known of endpoints; of that the registry shows where nothing is sent any more. */
function disablementOf(event: RecordedEvent): Change | undefined {
  if (event.type !== DELIVERY_EVENTS.disabled) return undefined;
  const health = subscriptionHealthSchema.safeParse(event.data);
  if (!health.success) return undefined;
  const { name, reason = 'unknown', answer, revision = event.position } = health.data;
  const said = answer === undefined ? {} : { answer };
  return { kind: 'subscription-disabled', name, revision, since: event.time, reason, ...said };
}

const OWN_SUBJECT = /^(?:target|subscription|key)\//;

/** Does this service append to the subject, so that its version must be known here? */
export function isOwnSubject(subject: string): boolean {
  return OWN_SUBJECT.test(subject);
}

/** Subject of a target's declaration and everything else that is about the declaration. */
export function targetDeclarationSubject(name: string): string {
  return `target/${name}`;
}

/** Subject of a subscription's declaration. */
export function subscriptionSubject(name: string): string {
  return `subscription/${name}`;
}

/** Subject of an API key. */
export function keySubject(name: string): string {
  return `key/${name}`;
}
