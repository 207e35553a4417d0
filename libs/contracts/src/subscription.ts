import { z } from 'zod';
import { labelsSchema, nameSchema } from './primitives.js';

const typePatternSchema = z
  .string()
  .max(256)
  .regex(
    /^(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*$/,
    'must be dot-separated segments; "*" stands for one segment or, as the last, for all that follow',
  )
  .meta({ examples: ['io.tocsin.node.*', 'io.tocsin.*.offline'] });

const destinationUrlSchema = z
  .string()
  .max(2048)
  .refine((text) => {
    const url = URL.parse(text);
    return url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  }, 'must be an absolute http or https URL');

/** Headers Tocsin sets itself or that shape the connection; a subscription may not name them. */
export const RESERVED_HEADERS: readonly string[] = [
  'content-length',
  'content-type',
  'transfer-encoding',
  'host',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'proxy-connection',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'traceparent',
  'tracestate',
  'user-agent',
];

const headersSchema = z
  .record(
    z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'must be a header name')
      .refine(
        (name) => !RESERVED_HEADERS.includes(name.toLowerCase()),
        'is set by Tocsin itself and cannot be overridden',
      ),
    z
      .string()
      .max(4096)
      .regex(/^[\t\x20-\x7e]*$/, 'must be a printable header value'),
  )
  .refine((headers) => Object.keys(headers).length <= 32, 'must be at most 32 headers');

/** Where the events of a subscription go. */
export const webhookDestinationSchema = z
  .strictObject({
    kind: z.literal('webhook'),
    url: destinationUrlSchema,
    headers: headersSchema.default({}),
  })
  .meta({ id: 'WebhookDestination' });

export const destinationSchema = z.discriminatedUnion('kind', [webhookDestinationSchema]).meta({ id: 'Destination' });
export type Destination = z.infer<typeof destinationSchema>;

/** What a PUT on a subscription takes. */
export const subscriptionSpecSchema = z
  .strictObject({
    destination: destinationSchema,
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
  /** Signing secrets, newest first; one without `notAfter` (epoch milliseconds) is the current one. */
  signingSecrets: z.array(z.object({ secret: z.string(), notAfter: z.number().optional() })).min(1),
});
export type SealedDestination = z.infer<typeof sealedDestinationSchema>;

/** What binds a sealed envelope to its place: an envelope moved to another subscription or revision does not open. */
export function sealContext(subscription: string, sealedRef: string): string {
  return `subscription/${subscription}/${sealedRef}`;
}
