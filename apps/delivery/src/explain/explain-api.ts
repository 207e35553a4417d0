import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';
import { STORY_OUTCOMES } from './story.js';
import { explainEventQuerySchema, explainQuerySchema } from './explain.controller.js';

const nameShape = {
  position: z.int(),
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string().meta({ description: 'When it became true' }),
  recordedAt: z.string(),
  reason: z.string().optional(),
  withheld: z.literal(true).optional().meta({ description: 'Told to nobody' }),
};
const eventNameSchema = z.object(nameShape).meta({ id: 'EventName' });

const subscriptionStorySchema = z
  .looseObject({
    subscription: z.string(),
    outcome: z.enum(STORY_OUTCOMES),
    clause: z
      .enum(['type', 'labels', 'filter', 'withheld', 'created-later', 'removed', 'not-declared'])
      .optional()
      .meta({ description: 'What of the subscription kept it from matching' }),
    answer: z.string().meta({ description: 'The whole answer in a sentence' }),
    nextAttemptAt: z.string().optional(),
    attempts: z.array(z.looseObject({ number: z.int(), startedAt: z.string(), outcome: z.string() })),
  })
  .meta({ id: 'SubscriptionStory' });

const eventStorySchema = z
  .looseObject({
    ...nameShape,
    summary: z.string().meta({ description: 'What happened, and who was told, in a sentence' }),
    suppressed: z.array(z.looseObject({ by: z.string(), text: z.string() })).optional(),
    steps: z.array(
      z.looseObject({ at: z.string(), what: z.string(), text: z.string(), subscription: z.string().optional() }),
    ),
    subscriptions: z.array(subscriptionStorySchema),
    subscriptionsLeftOut: z.int(),
  })
  .meta({ id: 'EventStory', description: 'An event from what was seen to the last attempt' });

const explanationSchema = z
  .object({
    subject: z.string(),
    at: z.string().optional(),
    head: z.int().meta({ description: 'Last position of the log when it was read' }),
    summary: z.string().meta({ description: 'The whole answer in a sentence or two' }),
    events: z.array(eventStorySchema).meta({ description: 'What is recorded about that time, oldest first' }),
    before: eventNameSchema.optional().meta({ description: 'The nearest event about the subject before that time' }),
    after: eventNameSchema.optional().meta({ description: 'The nearest one after it' }),
    beside: z.array(eventNameSchema).meta({ description: 'Votes that were refused, observers that were cut off …' }),
  })
  .meta({ id: 'Explanation' });

/** Explanations, for the OpenAPI document. */
export const EXPLAIN_API: readonly ApiDescription[] = [
  {
    tag: 'explain',
    description: 'Why somebody was told, or was not: from the log and the ledger alone, for any past moment',
    operations: {
      'GET /v1/explain': {
        summary: 'Explain what was told about a subject',
        description:
          'From the probes and votes to the last attempt. Where nothing is recorded about that time, it says so and names the nearest events.',
        query: explainQuerySchema,
        answers: { 200: { description: 'The explanation', schema: explanationSchema } },
        errors: ['TCN_INVALID', 'TCN_TIMEOUT'],
      },
      'GET /v1/explain/{event}': {
        summary: 'Explain one event',
        description: 'Its timeline, and what became of it for every subscription.',
        path: { event: { description: 'Position, or id', example: '1' } },
        query: explainEventQuerySchema,
        answers: { 200: { description: 'The story of the event', schema: eventStorySchema } },
        errors: ['TCN_INVALID', 'TCN_NOT_FOUND', 'TCN_TIMEOUT'],
      },
    },
  },
];
