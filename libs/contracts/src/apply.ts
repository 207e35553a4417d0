import { z } from 'zod';
import { nameSchema } from './primitives.js';
import { subscriptionSpecSchema } from './subscription.js';
import { targetSpecSchema } from './target.js';

/** As many of each as one request may declare: a fleet of the size Tocsin is made for fits into one. */
const MOST_DECLARED = 20_000;

/** A target with its name inside, as `tocsin.yaml` and `POST /v1/apply` write it. */
export const namedTargetSchema = z
  .strictObject({ name: nameSchema, ...targetSpecSchema.shape })
  .meta({ id: 'NamedTarget' });
export type NamedTarget = z.infer<typeof namedTargetSchema>;

/** A subscription with its name inside, as `tocsin.yaml` and `POST /v1/apply` write it. */
export const namedSubscriptionSchema = z
  .strictObject({ name: nameSchema, ...subscriptionSpecSchema.shape })
  .meta({ id: 'NamedSubscription' });
export type NamedSubscription = z.infer<typeof namedSubscriptionSchema>;

/** Body of `POST /v1/apply`: all of it is valid and applied, or nothing is. What it does not name stays as it is. */
export const applyRequestSchema = z
  .strictObject({
    owner: nameSchema.optional().meta({ description: 'Who looks after what this creates; kept with it' }),
    targets: z.array(namedTargetSchema).max(MOST_DECLARED).default([]),
    subscriptions: z.array(namedSubscriptionSchema).max(MOST_DECLARED).default([]),
    dryRun: z.boolean().default(false).meta({ description: 'Say what would change and change nothing' }),
  })
  .meta({ id: 'ApplyRequest' });
export type ApplyRequest = z.infer<typeof applyRequestSchema>;

/** What an apply did, or would do: every declared thing stands in exactly one list, as `target/<name>` or `subscription/<name>`. */
export const applyReplySchema = z
  .object({
    created: z.array(z.string()),
    updated: z.array(z.string()),
    unchanged: z.array(z.string()),
    secrets: z
      .record(z.string(), z.string())
      .meta({ description: 'Signing secrets of the subscriptions it created, by name; shown this once' }),
  })
  .meta({ id: 'ApplyReply' });
export type ApplyReply = z.infer<typeof applyReplySchema>;
