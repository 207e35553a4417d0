import { rotateTokenSchema, targetSpecSchema, targetViewSchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { listQuerySchema } from '../request/page.js';
import { CONDITIONAL, GONE, ONCE, pageSchema, putAnswers, TAGGED } from './describe.js';
import { writeQuerySchema } from './write-query.js';

const path = { name: { description: 'Name of the target', example: 'edge-fra-17' } };

/** Targets, for the OpenAPI document. */
export const TARGET_API: ApiDescription = {
  tag: 'targets',
  description: 'What is watched',
  operations: {
    'GET /v1/targets': {
      summary: 'List targets',
      description: 'In order of their names, with the state of each.',
      query: listQuerySchema,
      answers: { 200: { description: 'A page', schema: pageSchema(targetViewSchema) } },
      errors: ['TCN_INVALID'],
    },
    'GET /v1/targets/{name}': {
      summary: 'Read a target',
      path,
      answers: { 200: { description: 'The target with its state', schema: targetViewSchema, headers: TAGGED } },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID'],
    },
    'PUT /v1/targets/{name}': {
      summary: 'Declare a target',
      description:
        'Creates or replaces. What changes nothing records nothing. A new heartbeat is answered with its `token`, this once.',
      path,
      query: writeQuerySchema,
      headers: { ...CONDITIONAL, ...ONCE },
      body: {
        schema: targetSpecSchema,
        example: {
          kind: 'node',
          labels: { site: 'fra', role: 'edge' },
          check: { type: 'http', url: 'https://edge-fra-17.example.net/healthz', interval: '1h' },
        },
      },
      answers: putAnswers(targetViewSchema, 'Watched from now on'),
      errors: ['TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_CONFLICT', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
    'PATCH /v1/targets/{name}': {
      summary: 'Change a target',
      description: 'JSON Merge Patch (RFC 7396): named fields change, null takes one away.',
      path,
      query: writeQuerySchema,
      headers: { 'If-Match': CONDITIONAL['If-Match'], ...ONCE },
      body: {
        schema: targetSpecSchema.partial(),
        contentTypes: ['application/json', 'application/merge-patch+json'],
        example: { labels: { site: 'fra', role: 'core' } },
      },
      answers: { 200: { description: 'As it is now', schema: targetViewSchema, headers: TAGGED } },
      errors: [
        'TCN_NOT_FOUND',
        'TCN_INVALID',
        'TCN_PRECONDITION_FAILED',
        'TCN_CONFLICT',
        'TCN_VERSION_CONFLICT',
        'TCN_TIMEOUT',
      ],
    },
    'POST /v1/targets/{name}/rotate-token': {
      summary: 'Make a new token for a heartbeat',
      description: 'The former one is taken beside it for the overlap.',
      path: { name: { description: 'Name of a target whose check is a heartbeat', example: 'backup-host-1' } },
      headers: { 'If-Match': CONDITIONAL['If-Match'], ...ONCE },
      body: { schema: rotateTokenSchema, required: false, example: { overlap: '24h' } },
      answers: {
        200: { description: 'With the new `token`, this once', schema: targetViewSchema, headers: TAGGED },
      },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_CONFLICT', 'TCN_TIMEOUT'],
    },
    'DELETE /v1/targets/{name}': {
      summary: 'Stop watching a target',
      description:
        'An outage that is open ends with it: whoever was told of the beginning gets the event that he subscribed to as its end, with the same `episode` and the reason "the target is no longer watched".',
      path,
      query: writeQuerySchema,
      headers: { 'If-Match': CONDITIONAL['If-Match'], ...ONCE },
      answers: GONE,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
  },
};
