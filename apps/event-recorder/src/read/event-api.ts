import { incomingCloudEventSchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';
import { listQuerySchema, streamQuerySchema } from './query.js';

const eventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string(),
    time: z.string(),
    position: z.int().meta({ description: 'Place in the whole log: gapless, in commit order' }),
    sequence: z.int().meta({ description: 'Place within the subject: gapless' }),
    recordedtime: z.string(),
    data: z.unknown().optional(),
  })
  .meta({ id: 'CloudEvent', description: 'CloudEvents 1.0, structured' });

const appendedSchema = z.object({ events: z.array(z.object({ id: z.string(), position: z.int() })) });

/** The log, for the OpenAPI document. */
export const EVENT_API: readonly ApiDescription[] = [
  {
    tag: 'events',
    description: 'The log: what happened, in order, for ever',
    operations: {
      'POST /v1/events': {
        summary: 'Append events of your own',
        description:
          'One CloudEvent, structured or binary, or a batch, which is all or nothing. (source, id) is its key for ever: sending it again is safe.',
        body: {
          schema: z.union([incomingCloudEventSchema, z.array(incomingCloudEventSchema).min(1).max(1000)]),
          contentTypes: ['application/cloudevents+json', 'application/cloudevents-batch+json'],
          example: {
            specversion: '1.0',
            id: 'deploy-4711',
            source: 'urn:acme:pipeline',
            type: 'com.acme.deploy.finished',
            subject: 'service/checkout',
            data: { version: '2.4.1' },
          },
        },
        answers: {
          200: { description: 'All of it had been recorded before', schema: appendedSchema },
          201: { description: 'Committed', schema: appendedSchema },
        },
        errors: ['TCN_INVALID', 'TCN_KEY_REUSED', 'TCN_FORBIDDEN', 'TCN_FENCED', 'TCN_TIMEOUT'],
      },
      'GET /v1/events': {
        summary: 'Read the log',
        description:
          'In order of position. `next` is always a position to pass as `after`, and at the head the one to poll with. With `order=desc` the newest comes first, and `next` is to be passed as `before`; a page without events is the last.',
        query: listQuerySchema,
        answers: { 200: { description: 'A page', schema: z.object({ events: z.array(eventSchema), next: z.int() }) } },
        errors: ['TCN_INVALID'],
      },
      'GET /v1/events/stream': {
        summary: 'Follow the log',
        description: 'Server-Sent Events, `id` = position; goes on after `Last-Event-ID`.',
        query: streamQuerySchema,
        headers: { 'Last-Event-ID': 'Position that was seen last' },
        answers: { 200: { description: 'A stream without end', schema: z.string(), contentType: 'text/event-stream' } },
        errors: ['TCN_INVALID'],
      },
      'GET /v1/events/{key}': {
        summary: 'Read one event',
        description: 'By position or id.',
        path: { key: { description: 'Position, or id', example: '1' } },
        answers: { 200: { description: 'The event', schema: eventSchema } },
        errors: ['TCN_NOT_FOUND'],
      },
      'GET /v1/log/verify': {
        summary: 'Prove the log',
        description:
          'Reads all of it: gapless, untampered, relayed as recorded. A line of progress now and then; the last has `done`.',
        answers: {
          200: { description: 'Newline-delimited JSON', schema: z.string(), contentType: 'application/x-ndjson' },
        },
      },
    },
  },
];
