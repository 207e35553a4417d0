import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';
import { listQuerySchema, parkedQuerySchema, retryBodySchema, verifyQuerySchema } from './deliveries.controller.js';

const path = { id: { description: 'Position of the event, and subscription', example: '1-ops-chat' } };

const entrySchema = z
  .object({
    id: z.string(),
    subscription: z.string(),
    position: z.int().meta({ description: 'Of the event' }),
    state: z.enum(['delivered', 'pending', 'parked', 'superseded', 'dead']),
    attempts: z.int(),
    at: z.string(),
    reason: z.string().nullish(),
  })
  .meta({ id: 'Delivery' });

const attemptSchema = z
  .looseObject({ number: z.int(), startedAt: z.string(), outcome: z.string(), status: z.int().nullable() })
  .meta({ id: 'Attempt' });

const count = z.int().min(0);

/** The ledger, for the OpenAPI document. */
export const DELIVERY_API: readonly ApiDescription[] = [
  {
    tag: 'deliveries',
    description: 'What was sent to whom, and how it went',
    operations: {
      'GET /v1/deliveries': {
        summary: 'List deliveries',
        description: 'Newest first. A key with a scope has to name a subscription in it.',
        query: listQuerySchema,
        answers: {
          200: {
            description: 'A page',
            schema: z.object({ items: z.array(entrySchema), next: z.string().nullable() }),
          },
        },
        errors: ['TCN_INVALID'],
      },
      'GET /v1/deliveries/parked': {
        summary: 'List subscriptions that are held',
        query: parkedQuerySchema,
        answers: {
          200: {
            description: 'What waits behind which position, and why',
            schema: z.object({
              items: z.array(
                z.object({ subscription: z.string(), after: z.int(), reason: z.string(), since: z.string() }),
              ),
            }),
          },
        },
        errors: ['TCN_INVALID'],
      },
      'GET /v1/deliveries/verify': {
        summary: 'Recompute who had to be told, and compare',
        description: 'Reads the whole log.',
        query: verifyQuerySchema,
        answers: {
          200: {
            description: 'accepted = delivered + pending + parked + superseded + dead, where `ok`',
            schema: z.object({
              upTo: z.int(),
              events: count,
              accepted: count,
              delivered: count,
              pending: count,
              parked: count,
              superseded: count,
              dead: count,
              missing: z.array(z.string()),
              missingCount: count,
              ok: z.boolean(),
            }),
          },
        },
        errors: ['TCN_INVALID', 'TCN_TIMEOUT'],
      },
      'POST /v1/deliveries/retry': {
        summary: 'Try again what was given up for a subscription',
        body: { schema: retryBodySchema, example: { subscription: 'ops-chat' } },
        answers: { 202: { description: 'So many are owed again', schema: z.object({ retried: count }) } },
        errors: ['TCN_INVALID'],
      },
      'GET /v1/deliveries/{id}': {
        summary: 'Read a delivery with every attempt',
        path,
        answers: {
          200: { description: 'The delivery', schema: entrySchema.extend({ history: z.array(attemptSchema) }) },
        },
        errors: ['TCN_NOT_FOUND'],
      },
      'POST /v1/deliveries/{id}/retry': {
        summary: 'Try a delivery again now',
        path,
        answers: { 202: { description: 'It is tried', schema: z.object({ id: z.string() }) } },
        errors: ['TCN_NOT_FOUND', 'TCN_CONFLICT'],
      },
    },
  },
];
