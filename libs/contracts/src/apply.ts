import { z } from 'zod';
import { namedMaintenanceSchema } from './maintenance.js';
import { nameSchema } from './primitives.js';
import { subscriptionSpecSchema } from './subscription.js';
import { targetSpecSchema } from './target.js';

/** As many of each as one request may declare: a fleet of the size Tocsin is made for fits into one. */
const MOST_DECLARED = 20_000;
/** Windows: every observer holds all of them. */
const MOST_WINDOWS = 1_000;
/** Every thing there may be of either kind, created, changed or deleted. */
const MOST_EXPECTED = 100_000;

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

const needsOwner = { error: 'needs an owner: it is about whose things they are' };

/**
 * Body of `POST /v1/apply`: all of it is valid and applied, or nothing is. What it does not name stays as it is, unless it prunes.
 */
export const applyRequestSchema = z
  .strictObject({
    owner: nameSchema
      .optional()
      .meta({ description: 'Who looks after what this declares; kept with it. What is nobody’s becomes this owner’s' }),
    targets: z.array(namedTargetSchema).max(MOST_DECLARED).default([]),
    subscriptions: z.array(namedSubscriptionSchema).max(MOST_DECLARED).default([]),
    maintenance: z.array(namedMaintenanceSchema).max(MOST_WINDOWS).default([]),
    prune: z
      .boolean()
      .default(false)
      .meta({ description: 'Delete what is this owner’s and is not declared here; nothing else is ever deleted' }),
    takeOver: z
      .boolean()
      .default(false)
      .meta({ description: 'Declare things of another owner too; they are this owner’s then. Else they are refused' }),
    expect: z
      .record(z.string().regex(/^(target|subscription|maintenance)\//), z.int().min(0))
      .refine((revisions) => Object.keys(revisions).length <= MOST_EXPECTED, `must be at most ${MOST_EXPECTED}`)
      .optional()
      .meta({
        description:
          'What was planned: `revisions` of the dry run. Where a thing is at another revision by now, or something else would change, nothing is done',
        examples: [{ 'target/edge-ams-1': 17, 'target/edge-ams-2': 0 }],
      }),
    dryRun: z.boolean().default(false).meta({ description: 'Say what would change and change nothing' }),
  })
  .refine(({ owner, prune }) => !prune || owner !== undefined, { ...needsOwner, path: ['prune'] })
  .refine(({ owner, takeOver }) => !takeOver || owner !== undefined, { ...needsOwner, path: ['takeOver'] })
  .meta({ id: 'ApplyRequest' });
export type ApplyRequest = z.infer<typeof applyRequestSchema>;

/**
 * What an apply did, or would do: every declared thing stands in exactly one list, as `target/<name>`, `subscription/<name>` or
 * `maintenance/<name>`.
 */
export const applyReplySchema = z
  .object({
    created: z.array(z.string()),
    updated: z.array(z.string()),
    unchanged: z.array(z.string()),
    deleted: z.array(z.string()),
    takenOver: z
      .record(z.string(), z.string().nullable())
      .meta({ description: 'Of those changed, what gets this owner, and whose it was; null: nobody’s' }),
    revisions: z
      .record(z.string(), z.int())
      .meta({ description: 'Of what is created, changed or deleted, the revision before; 0: it is not there' }),
    secrets: z
      .record(z.string(), z.string())
      .meta({ description: 'Signing secrets of the subscriptions it created, by name; shown this once' }),
    tokens: z
      .record(z.string(), z.string())
      .default({})
      .meta({ description: 'Tokens of the heartbeats it created, by name of the target; shown this once' }),
  })
  .meta({ id: 'ApplyReply' });
export type ApplyReply = z.infer<typeof applyReplySchema>;
