import { previewReplySchema, previewRequestSchema, testReplySchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { CONDITIONAL } from './describe.js';

const path = { name: { description: 'Name of the subscription', example: 'ops-chat' } };

/** Trying subscriptions out, for the OpenAPI document. */
export const SUBSCRIPTION_TRIALS: ApiDescription['operations'] = {
  'POST /v1/subscriptions/{name}/preview': {
    summary: 'Show what a subscription would have been told',
    description: [
      'Which of the newest events match, by which part the others do not, and the requests that the newest match would make. Nothing is',
      'sent. With `subscription` it is about that declaration instead of the one that stands, which need not be there yet.',
    ].join('\n'),
    path,
    body: {
      schema: previewRequestSchema,
      required: false,
      example: {
        last: 50,
        subscription: {
          types: ['io.tocsin.*.offline'],
          filter: 'event.subject.startsWith("node/edge-") && data.to == "down"',
          destination: { kind: 'webhook', url: 'https://hooks.example.net/tocsin' },
        },
      },
    },
    answers: { 200: { description: 'What it would have been told', schema: previewReplySchema } },
    errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_EGRESS_BLOCKED', 'TCN_TIMEOUT'],
  },
  'POST /v1/subscriptions/{name}/test': {
    summary: 'Send a test',
    description: [
      'One event of type `io.tocsin.subscription.test`, marked by the extension `test`, rendered, signed and sent as any other, once, also',
      'where the subscription is paused or disabled. It is in the log, and how it was answered as well; nobody else is told of either.',
      'A subscription takes one every two seconds.',
    ].join('\n'),
    path,
    headers: { 'If-Match': CONDITIONAL['If-Match'] },
    answers: { 200: { description: 'How it was answered, also where that is no success', schema: testReplySchema } },
    errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_SEAL_BROKEN', 'TCN_TIMEOUT'],
  },
};
