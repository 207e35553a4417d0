import { z } from 'zod';
import { type Destination, destinationSchema } from './destination.js';
import { splitDestination } from './destination-secrets.js';
import { labelsSchema, nameSchema } from './primitives.js';

const typePatternSchema = z
  .string()
  .max(256)
  .regex(
    /^(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*$/,
    'must be dot-separated segments; "*" stands for one segment or, as the last, for all that follow',
  )
  .meta({ examples: ['io.tocsin.node.*', 'io.tocsin.*.offline'] });

/**
 * The registry seals a destination's URL and headers. What holds another secret (a routing key, a token, a mail server's password) is
 * refused until it seals all that `splitDestination` gives: what is recorded in clear can never be taken back out of the log.
 */
function isSealable(destination: Destination): boolean {
  const pointers = Object.keys(splitDestination(destination).secrets);
  return (
    destination.kind !== 'email' && pointers.every((pointer) => pointer === '/url' || pointer.startsWith('/headers/'))
  );
}

/** What a PUT on a subscription takes. */
export const subscriptionSpecSchema = z
  .strictObject({
    destination: destinationSchema.refine(isSealable, 'holds a secret that this version cannot keep under seal'),
    types: z.array(typePatternSchema).min(1).max(64),
    labels: labelsSchema.default({}),
    order: z.enum(['subject', 'none']).default('subject'),
  })
  .meta({ id: 'SubscriptionSpec' });
/** A subscription as validated: every default filled in. */
export type SubscriptionSpec = z.infer<typeof subscriptionSpecSchema>;

/** A subscription as the API shows it. Its URL is shown without query and credentials, its headers by name only. */
export const subscriptionViewSchema = z
  .object({
    name: nameSchema,
    ...subscriptionSpecSchema.shape,
    state: z.enum(['active']),
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
