import { z } from 'zod';
import { destinationSchema } from './destination.js';
import { durationSchema, labelsSchema, nameSchema, timestampSchema } from './primitives.js';

const typePatternSchema = z
  .string()
  .max(256)
  .regex(
    /^(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*$/,
    'must be dot-separated segments; "*" stands for one segment or, as the last, for all that follow',
  )
  .meta({ examples: ['io.tocsin.node.*', 'io.tocsin.*.offline'] });

/** Characters of a filter at most: one that says more is two subscriptions, and what is compiled is bounded with it. */
export const FILTER_MAX_CHARS = 2_048;

const filterSchema = z
  .string()
  .min(1)
  .max(FILTER_MAX_CHARS)
  .meta({
    description:
      'A CEL expression over `event` (the CloudEvent), `data` (its payload) and `labels` that must be true; asked where types and labels match',
    examples: ['data.to == "down" && event.subject.startsWith("node/edge-")'],
  });

const retrySchema = z
  .strictObject({
    schedule: z
      .array(durationSchema({ min: '1s', max: '24h' }))
      .max(50)
      .meta({ description: 'Waits between attempts instead of the usual ones; an empty list means one attempt' }),
  })
  .meta({ id: 'RetryPolicy' });

const rateSchema = z
  .strictObject({
    perSecond: z.number().min(0.01).max(10_000),
    burst: z.int().min(1).max(10_000).optional().meta({ description: 'Requests at once after a pause; default 1' }),
  })
  .meta({ id: 'Rate', description: 'No more requests than this' });

/** Where in the log a subscription or a replay begins. */
export const logStartSchema = z.union([
  z.strictObject({ position: z.int().min(0).meta({ description: 'Events after this position' }) }),
  z.strictObject({ time: timestampSchema }),
]);
export type LogStart = z.infer<typeof logStartSchema>;

/** What a PUT on a subscription takes. */
export const subscriptionSpecSchema = z
  .strictObject({
    destination: destinationSchema,
    types: z.array(typePatternSchema).min(1).max(64),
    labels: labelsSchema.default({}),
    filter: filterSchema.optional(),
    delivery: z.enum(['every', 'latest']).default('every').meta({
      description: 'every: each event; latest: what is still waiting gives way to a newer event of the same subject',
    }),
    order: z.enum(['subject', 'none']).default('subject'),
    from: z
      .union([z.enum(['now', 'snapshot']), logStartSchema])
      .optional()
      .meta({
        description:
          'Where a new subscription begins: now (default); snapshot: the newest event of each subject first; or a point in the past',
      }),
    retry: retrySchema.optional(),
    rate: rateSchema.optional(),
    paused: z.boolean().optional().meta({ description: 'Nothing is sent; what matches waits' }),
  })
  .meta({ id: 'SubscriptionSpec' });
/** A subscription as validated: every default filled in. */
export type SubscriptionSpec = z.infer<typeof subscriptionSpecSchema>;

/** What `POST /v1/subscriptions/{name}/replay` takes: events that matched go out again, with the `webhook-id` they had. */
export const replaySpecSchema = z
  .strictObject({
    from: logStartSchema,
    to: logStartSchema.optional().meta({ description: 'Up to this position or time; default: up to the request' }),
    types: z.array(typePatternSchema).min(1).max(64).optional(),
    subject: z.string().min(1).max(1024).optional(),
    perSecond: z.number().min(0.01).max(10_000).default(50),
  })
  .meta({ id: 'Replay' });
export type ReplaySpec = z.infer<typeof replaySpecSchema>;

/** That delivery has given up on a subscription's endpoint. */
const disabledSchema = z
  .object({
    since: z.string().meta({ description: 'When it was disabled' }),
    reason: z.string().meta({
      description:
        '`gone` (410), `no-success` (five days of failures) or `egress-blocked` (its address may not be sent to)',
    }),
    answer: z.string().optional().meta({ description: 'What the endpoint said last: a status, or what went wrong' }),
  })
  .meta({ id: 'Disablement' });

/** A subscription as the API shows it. Its URL is shown without query and credentials, its headers by name only. */
export const subscriptionViewSchema = z
  .object({
    name: nameSchema,
    ...subscriptionSpecSchema.shape,
    state: z.enum(['active', 'paused', 'disabled']),
    disabled: disabledSchema.optional().meta({
      description:
        'Only where its state is `disabled`: delivery has given up on it, and what it is owed waits. `POST /v1/subscriptions/{name}/resume`, or any change of its declaration, enables it again',
    }),
    revision: z.int(),
    createdAt: z.string(),
    updatedAt: z.string(),
    secret: z
      .string()
      .optional()
      .meta({ description: 'Signing secret, `whsec_…`; only in the answer that created it' }),
  })
  .meta({ id: 'Subscription' });
export type SubscriptionView = z.infer<typeof subscriptionViewSchema>;

/**
 * The part of a subscription that never enters the log: it is sealed (AES-256-GCM) in the registry's own table and handed to
 * delivery as a sealed envelope.
 */
export const sealedDestinationSchema = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  /** All secret parts as `splitDestination` gives them; envelopes sealed before there were others than those two have none. */
  secrets: z.record(z.string(), z.string()).optional(),
  /** Signing secrets, newest first; one without `notAfter` (epoch milliseconds) is the current one. */
  signingSecrets: z.array(z.object({ secret: z.string(), notAfter: z.number().optional() })).min(1),
});
export type SealedDestination = z.infer<typeof sealedDestinationSchema>;
