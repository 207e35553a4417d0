import { heartbeatSchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';

/** Heartbeats, for the OpenAPI document. */
export const HEARTBEAT_API: ApiDescription = {
  tag: 'heartbeats',
  description: 'What says by itself that it is alive',
  operations: {
    'POST /v1/heartbeats/{token}': {
      summary: 'Say that a target is alive',
      description:
        'Any observer takes it and brings it to the one that watches the target. Without a body it says `ok`. Over NATS: the same body on the subject `tocsin.heartbeats.<token>`, published or requested.',
      path: {
        token: {
          description: 'Token of the target, shown when the target was declared',
          example: 'hb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
        },
      },
      body: { schema: heartbeatSchema, required: false, example: { status: 'ok' } },
      answers: { 204: { description: 'It has been heard' } },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_UNAVAILABLE', 'TCN_TIMEOUT'],
    },
  },
};
