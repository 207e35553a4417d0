import { fleetPageSchema, noiseReceiptSchema, withheldPageSchema } from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { fleetQuerySchema, withheldQuerySchema } from './fleet-query.js';

/** What an operator sees of the observers, for the OpenAPI document. */
export const FLEET_API: ApiDescription = {
  tag: 'fleet',
  description: 'Where the targets stand, what was kept back, and how much noise was spared',
  operations: {
    'GET /v1/fleet': {
      summary: 'Look at the fleet, now or at any moment that was',
      description:
        'Every target that is (was) declared, in order of the names, with its state as the log says. What lies over it, and what subscribers know instead, stand beside the state.',
      query: fleetQuerySchema,
      answers: { 200: { description: 'A page', schema: fleetPageSchema } },
      errors: ['TCN_INVALID'],
    },
    'GET /v1/withheld': {
      summary: 'List what was recorded and told to nobody',
      description:
        'Newest first. A change is released by the event that says what is so (`told`), or by the one that brought the truth back to what was told (`settled`).',
      query: withheldQuerySchema,
      answers: { 200: { description: 'A page', schema: withheldPageSchema } },
      errors: ['TCN_INVALID'],
    },
    'GET /v1/noise': {
      summary: 'Read the noise receipt',
      description:
        'Checks made, suspicions, suspicions refused by vote, changes, changes withheld, changes announced, deliveries; of all observers, over their restarts. Changes are counted in the log, exactly. What observers count by themselves they write down every two seconds: an observer that is killed forgets the last of it.',
      answers: { 200: { description: 'The receipt', schema: noiseReceiptSchema } },
    },
  },
};
