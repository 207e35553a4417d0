import { z } from 'zod';
import type { ApiDescription } from './api-description.js';

/** What every process serves. */
export const PLATFORM_API: ApiDescription = {
  tag: 'process',
  description: 'The process itself',
  operations: {
    'GET /healthz': {
      summary: 'Is the process alive',
      answers: { 200: { description: 'It is', schema: z.object({ status: z.literal('ok') }) } },
    },
    'GET /readyz': {
      summary: 'Can the process do its work',
      answers: {
        200: {
          description: 'It can; 503 with the same document where a check fails',
          schema: z.object({ status: z.string(), checks: z.record(z.string(), z.string()) }),
        },
      },
    },
    'GET /metrics': {
      summary: 'Measurements, for Prometheus',
      answers: { 200: { description: 'Prometheus text format', schema: z.string(), contentType: 'text/plain' } },
    },
    'GET /openapi.json': {
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
    },
    'GET /docs': {
      summary: 'This document for people',
      answers: { 200: { description: 'A page', schema: z.string(), contentType: 'text/html' } },
    },
    'GET /docs/{file}': {
      summary: 'What the page loads',
      path: { file: { description: 'Name of the file', example: 'start.js' } },
      answers: { 200: { description: 'Script or style', schema: z.string(), contentType: 'text/javascript' } },
      errors: ['TCN_NOT_FOUND'],
    },
  },
};
