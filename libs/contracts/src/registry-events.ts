import { z } from 'zod';
import { heartbeatTokensSchema } from './heartbeat.js';
import { nameSchema } from './primitives.js';
import { replaySpecSchema, subscriptionSpecSchema } from './subscription.js';
import { targetSpecSchema } from './target.js';

/** Types of the registry's own events. Their subjects are `target/<name>` and `subscription/<name>`. */
export const REGISTRY_EVENTS = {
  targetRegistered: 'io.tocsin.target.registered',
  targetUpdated: 'io.tocsin.target.updated',
  targetRemoved: 'io.tocsin.target.removed',
  subscriptionCreated: 'io.tocsin.subscription.created',
  subscriptionUpdated: 'io.tocsin.subscription.updated',
  subscriptionRemoved: 'io.tocsin.subscription.removed',
  subscriptionPaused: 'io.tocsin.subscription.paused',
  subscriptionResumed: 'io.tocsin.subscription.resumed',
} as const;

/** Type of the event that says a target gave its first verdict (`data.to` = `up`); subject `target/<name>`. */
export const TARGET_FRESH = 'io.tocsin.target.fresh';

/** Event types that only Tocsin's own services may append: they drive projections. Ingest refuses them. */
export const RESERVED_TYPE_PREFIXES: readonly string[] = [
  'io.tocsin.target.',
  'io.tocsin.subscription.',
  'io.tocsin.observer.',
  'io.tocsin.vantage.',
  'io.tocsin.key.',
  'io.tocsin.maintenance.',
];

/** Who made a change: the name of the API key, or the service itself. */
export const actorSchema = z.string();

export const targetDeclaredSchema = z.object({
  name: nameSchema,
  actor: actorSchema,
  spec: targetSpecSchema,
  /** Of a heartbeat: what its tokens are known by. A token has 256 random bits: nothing leads from here to it. */
  heartbeat: heartbeatTokensSchema.optional(),
});
export const targetRemovedSchema = z.object({ name: nameSchema, actor: actorSchema });

/** In the log a destination stands redacted; `sealedRef` names the sealed envelope that has the rest. */
export const subscriptionDeclaredSchema = z.object({
  name: nameSchema,
  actor: actorSchema,
  spec: subscriptionSpecSchema,
  sealedRef: z.string(),
});
export type SubscriptionDeclared = z.infer<typeof subscriptionDeclaredSchema>;
export const subscriptionRemovedSchema = z.object({ name: nameSchema, actor: actorSchema });

/** Type of the event that asks delivery to send again what a subscription was sent before; subject `subscription/<name>`. */
export const SUBSCRIPTION_REPLAY_REQUESTED = 'io.tocsin.subscription.replay-requested';
/** Its data. It changes no declaration. */
export const replayRequestedSchema = z.object({ name: nameSchema, actor: actorSchema, replay: replaySpecSchema });
