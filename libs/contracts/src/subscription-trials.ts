import { z } from 'zod';
import { nameSchema } from './primitives.js';
import { subscriptionSpecSchema } from './subscription.js';

/** Events a preview looks at, at most and usually. */
export const PREVIEW_MOST = 1_000;
const PREVIEW_USUAL = 100;

/** What `POST /v1/subscriptions/{name}/preview` takes. */
export const previewRequestSchema = z
  .strictObject({
    last: z.int().min(1).max(PREVIEW_MOST).default(PREVIEW_USUAL).meta({ description: 'So many of the newest events' }),
    subscription: subscriptionSpecSchema.optional().meta({
      description:
        'A declaration to look at instead of the one that stands, before it is declared; nothing is kept of it',
    }),
  })
  .meta({ id: 'PreviewRequest' });
export type PreviewRequest = z.infer<typeof previewRequestSchema>;

const clauseSchema = z.enum(['type', 'withheld', 'labels', 'filter']);

/** One event of a preview. */
const previewedEventSchema = z.object({
  position: z.int(),
  time: z.string(),
  type: z.string(),
  subject: z.string(),
  matches: z.boolean(),
  clause: clauseSchema.optional().meta({
    description: 'The first part of the subscription that does not ask for it; withheld: it is kept from everybody',
  }),
  why: z
    .string()
    .optional()
    .meta({ description: 'What was wanted and found there, how the filter failed, or what withheld it' }),
});
export type PreviewedEvent = z.infer<typeof previewedEventSchema>;

/** A request as it would go out. */
export const previewedRequestSchema = z.object({
  method: z.string().meta({ description: 'SMTP for e-mail' }),
  url: z.string().meta({ description: 'Redacted' }),
  headers: z.record(z.string(), z.string()).meta({ description: 'Secret values as ***' }),
  body: z.string(),
  bodyBytes: z.int().meta({ description: 'More than `body` has where that is cut' }),
});
export type PreviewedRequest = z.infer<typeof previewedRequestSchema>;

/** What a subscription would have been told. */
export const previewReplySchema = z
  .object({
    name: nameSchema,
    examined: z
      .int()
      .meta({ description: 'Events looked at; fewer than asked for where the log has no more, or time ran out' }),
    matched: z.int(),
    unmatched: z.object({ type: z.int(), withheld: z.int(), labels: z.int(), filter: z.int() }),
    filterFailed: z.int().meta({ description: 'Those of `unmatched.filter` on which the filter failed' }),
    events: z.array(previewedEventSchema).meta({ description: 'Newest first' }),
    newestMatch: z
      .object({
        position: z.int(),
        requests: z
          .array(previewedRequestSchema)
          .meta({ description: 'More than one where the destination takes several' }),
        notes: z.array(z.string()).meta({ description: 'In what the real ones would be different' }),
      })
      .nullable()
      .meta({ description: 'The requests for the newest event that matches; null where none does' }),
  })
  .meta({ id: 'Preview' });
export type PreviewReply = z.infer<typeof previewReplySchema>;

/** Type of the event that a test sends; subject {@link subscriptionTestSubject}. It is marked, recorded, and matched by nobody. */
export const SUBSCRIPTION_TEST = 'io.tocsin.subscription.test';
/** Type of the event that says how a test ended. */
export const SUBSCRIPTION_TESTED = 'io.tocsin.subscription.tested';

/** Subject of tests: one of their own, so that neither the registry's versions nor the order of anything else are touched. */
export function subscriptionTestSubject(name: string): string {
  return `subscription-test/${name}`;
}

/** Extension by which a receiver tells a test from an event: `true`. */
export const TEST_EXTENSION = 'test';

/** Data of {@link SUBSCRIPTION_TEST}. */
export const subscriptionTestSchema = z.object({
  name: nameSchema,
  /** Who asked for it: the name of an API key. */
  actor: z.string(),
  /** For people who read it at the other end. */
  message: z.string(),
});

/** How a receiver answered. */
const testAnswerShape = {
  webhookId: z.string().meta({ description: 'What the request carried' }),
  delivered: z.boolean().meta({ description: 'The receiver took it' }),
  outcome: z.string().meta({
    description:
      'delivered, or what the answer would mean for an event: retry, retry-limited, dead, gone, misconfigured, auth, blocked',
  }),
  status: z.int().optional(),
  errorClass: z
    .string()
    .optional()
    .meta({ description: 'Where there was no status: dns, refused, tls, timeout, egress-blocked …' }),
  detail: z.string().optional(),
  step: z.string().optional().meta({ description: 'Which request of a destination that takes several' }),
  address: z.string().optional(),
  phasesMs: z.record(z.string(), z.number()).meta({ description: 'dns, connect, tls, ttfb, total' }),
};

/** Data of {@link SUBSCRIPTION_TESTED}. What the receiver wrote is not in it: it may be anything. */
export const subscriptionTestedSchema = z.object({
  name: nameSchema,
  actor: z.string(),
  /** Position of the test. */
  test: z.int(),
  ...testAnswerShape,
});

/** The answer to `POST /v1/subscriptions/{name}/test`. */
export const testReplySchema = z
  .object({
    name: nameSchema,
    position: z.int().meta({ description: 'Of the test event in the log' }),
    ...testAnswerShape,
    bodyHead: z.string().meta({ description: 'The first 4 KiB of what the receiver wrote' }),
    recorded: z.boolean().meta({ description: 'The answer stands in the log too' }),
  })
  .meta({ id: 'SubscriptionTest' });
export type TestReply = z.infer<typeof testReplySchema>;

/** NATS subject by which the registry has delivery send a test; any replica answers. */
export const DELIVERY_TEST_RPC = 'tocsin.rpc.delivery.test';

/** `sealed`: the subscription's own envelope, base64; delivery opens it as it does for any attempt. */
export const testRequestSchema = z.object({
  name: nameSchema,
  actor: z.string(),
  spec: subscriptionSpecSchema,
  sealedRef: z.string(),
  sealed: z.string(),
});
export type TestRequest = z.infer<typeof testRequestSchema>;
