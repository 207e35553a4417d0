import { replaySpecSchema, subscriptionSpecSchema, subscriptionViewSchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';
import { listQuerySchema } from '../request/page.js';
import { rotateSecretSchema } from '../subscriptions/rotate-secret.js';
import { CONDITIONAL, GONE, ONCE, pageSchema, putAnswers, TAGGED } from './describe.js';
import { SUBSCRIPTION_TRIALS } from './subscription-trials-api.js';
import { writeQuerySchema } from './write-query.js';

const path = { name: { description: 'Name of the subscription', example: 'ops-chat' } };
const ifMatch = { 'If-Match': CONDITIONAL['If-Match'] };
const shown = { 200: { description: 'As it is now', schema: subscriptionViewSchema, headers: TAGGED } };

/** Subscriptions, for the OpenAPI document. */
export const SUBSCRIPTION_API: ApiDescription = {
  tag: 'subscriptions',
  description: 'Who is told',
  operations: {
    'GET /v1/subscriptions': {
      summary: 'List subscriptions',
      description: 'In order of their names; secret parts are shown redacted.',
      query: listQuerySchema,
      answers: { 200: { description: 'A page', schema: pageSchema(subscriptionViewSchema) } },
      errors: ['TCN_INVALID'],
    },
    'GET /v1/subscriptions/{name}': {
      summary: 'Read a subscription',
      path,
      answers: { 200: { description: 'Redacted', schema: subscriptionViewSchema, headers: TAGGED } },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID'],
    },
    'PUT /v1/subscriptions/{name}': {
      summary: 'Declare a subscription',
      description: 'Creates or replaces. The redacted forms that GET shows mean what is there now.',
      path,
      query: writeQuerySchema,
      headers: { ...CONDITIONAL, ...ONCE },
      body: {
        schema: subscriptionSpecSchema,
        example: {
          types: ['io.tocsin.*.offline', 'io.tocsin.*.online'],
          labels: { role: 'edge' },
          destination: { kind: 'webhook', url: 'https://hooks.example.net/tocsin' },
        },
      },
      answers: putAnswers(subscriptionViewSchema, 'With `secret`, the signing secret, this once'),
      errors: [
        'TCN_INVALID',
        'TCN_EGRESS_BLOCKED',
        'TCN_PRECONDITION_FAILED',
        'TCN_CONFLICT',
        'TCN_VERSION_CONFLICT',
        'TCN_TIMEOUT',
      ],
    },
    'PATCH /v1/subscriptions/{name}': {
      summary: 'Change a subscription',
      description: 'JSON Merge Patch (RFC 7396): named fields change, null takes one away, secret ones stay.',
      path,
      query: writeQuerySchema,
      headers: { ...ifMatch, ...ONCE },
      body: {
        schema: subscriptionSpecSchema.partial(),
        contentTypes: ['application/json', 'application/merge-patch+json'],
        example: { delivery: 'latest' },
      },
      answers: shown,
      errors: [
        'TCN_NOT_FOUND',
        'TCN_INVALID',
        'TCN_EGRESS_BLOCKED',
        'TCN_PRECONDITION_FAILED',
        'TCN_CONFLICT',
        'TCN_VERSION_CONFLICT',
        'TCN_TIMEOUT',
      ],
    },
    'DELETE /v1/subscriptions/{name}': {
      summary: 'Stop telling',
      description: 'Its secrets are erased.',
      path,
      query: writeQuerySchema,
      headers: { ...ifMatch, ...ONCE },
      answers: GONE,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
    'POST /v1/subscriptions/{name}/rotate-secret': {
      summary: 'Make a new signing secret',
      description: 'The former one goes on signing beside it for the overlap.',
      path,
      headers: { ...ifMatch, ...ONCE },
      body: { schema: rotateSecretSchema, required: false, example: { overlap: '24h' } },
      answers: {
        200: { description: 'With the new `secret`, this once', schema: subscriptionViewSchema, headers: TAGGED },
      },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_CONFLICT', 'TCN_TIMEOUT'],
    },
    'POST /v1/subscriptions/{name}/pause': {
      summary: 'Send nothing for now',
      description: 'What matches waits.',
      path,
      headers: { ...ifMatch, ...ONCE },
      answers: shown,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_TIMEOUT'],
    },
    'POST /v1/subscriptions/{name}/resume': {
      summary: 'Send again',
      description: 'Goes on with what has waited; also where delivery had disabled it.',
      path,
      headers: { ...ifMatch, ...ONCE },
      answers: shown,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_TIMEOUT'],
    },
    'POST /v1/subscriptions/{name}/replay': {
      summary: 'Send again what was sent',
      description: 'Events that matched go out again, each with the `webhook-id` it had.',
      path,
      headers: ONCE,
      body: { schema: replaySpecSchema, example: { from: { position: 0 }, perSecond: 10 } },
      answers: {
        202: { description: 'It begins', schema: z.object({ name: z.string(), replay: replaySpecSchema }) },
      },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_TIMEOUT'],
    },
    ...SUBSCRIPTION_TRIALS,
  },
};
