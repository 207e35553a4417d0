import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';

/** The check of the promises, for the OpenAPI document. */
export const PROMISES_API: readonly ApiDescription[] = [
  {
    tag: 'promises',
    description: 'What Tocsin promises, checked on this very installation',
    operations: {
      'GET /v1/promises': {
        summary: 'Check the promises',
        description:
          'Reads the whole log and the whole ledger. A line of progress now and then; the last has `done` and, for each promise, what was looked at and what was found. That the log itself is whole is for `GET /v1/log/verify`.',
        answers: {
          200: { description: 'Newline-delimited JSON', schema: z.string(), contentType: 'application/x-ndjson' },
        },
      },
    },
  },
];
