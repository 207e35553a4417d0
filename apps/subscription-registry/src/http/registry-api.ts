import {
  applyReplySchema,
  applyRequestSchema,
  keySpecSchema,
  keyViewSchema,
  maintenanceSpecSchema,
  maintenanceViewSchema,
} from '@tocsin/contracts';
import type { ApiDescription } from '@tocsin/platform';
import { z } from 'zod';
import { pageQuerySchema } from '../request/page.js';
import { CONDITIONAL, GONE, ONCE, pageSchema, putAnswers, TAGGED } from './describe.js';
import { SUBSCRIPTION_API } from './subscription-api.js';
import { TARGET_API } from './target-api.js';
import { writeQuerySchema } from './write-query.js';

const ifMatch = { 'If-Match': CONDITIONAL['If-Match'] };
const keyPath = { name: { description: 'Name of the key', example: 'pipeline' } };
const windowPath = { name: { description: 'Name of the window', example: 'fra-sunday' } };

const KEY_API: ApiDescription = {
  tag: 'keys',
  description: 'Who may call: API keys beside the one the services were started with',
  operations: {
    'GET /v1/keys': {
      summary: 'List API keys',
      query: pageQuerySchema,
      answers: { 200: { description: 'A page; never the keys themselves', schema: pageSchema(keyViewSchema) } },
      errors: ['TCN_INVALID'],
    },
    'GET /v1/keys/{name}': {
      summary: 'Read what an API key may do',
      path: keyPath,
      answers: { 200: { description: 'Never the key itself', schema: keyViewSchema, headers: TAGGED } },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID'],
    },
    'PUT /v1/keys/{name}': {
      summary: 'Make an API key, or change what it may do',
      description: 'A changed role counts at once; the key stays. For another key, delete it and make it anew.',
      path: keyPath,
      query: writeQuerySchema,
      headers: { ...CONDITIONAL, ...ONCE },
      body: { schema: keySpecSchema, example: { role: 'editor', description: 'the deployment pipeline' } },
      answers: putAnswers(keyViewSchema, 'With `key`, this once'),
      errors: ['TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_CONFLICT', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
    'DELETE /v1/keys/{name}': {
      summary: 'Revoke an API key',
      description: 'Within two seconds it is refused everywhere.',
      path: keyPath,
      query: writeQuerySchema,
      headers: { ...ifMatch, ...ONCE },
      answers: GONE,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
  },
};

const MAINTENANCE_API: ApiDescription = {
  tag: 'maintenance',
  description: 'Windows in which changes are recorded and nobody is told',
  operations: {
    'GET /v1/maintenance': {
      summary: 'List maintenance windows',
      answers: { 200: { description: 'All of them', schema: z.object({ items: z.array(maintenanceViewSchema) }) } },
    },
    'GET /v1/maintenance/{name}': {
      summary: 'Read a maintenance window',
      path: windowPath,
      answers: { 200: { description: 'The window', schema: maintenanceViewSchema, headers: TAGGED } },
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID'],
    },
    'PUT /v1/maintenance/{name}': {
      summary: 'Declare a maintenance window',
      path: windowPath,
      query: writeQuerySchema,
      headers: { ...CONDITIONAL, ...ONCE },
      body: {
        schema: maintenanceSpecSchema,
        example: {
          selector: { site: 'fra' },
          start: '2030-01-06T02:00:00',
          rrule: 'FREQ=WEEKLY;BYDAY=SU',
          timeZone: 'Europe/Berlin',
          duration: '2h',
        },
      },
      answers: putAnswers(maintenanceViewSchema, 'It counts from now on'),
      errors: ['TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_CONFLICT', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
    'DELETE /v1/maintenance/{name}': {
      summary: 'End a maintenance window',
      path: windowPath,
      query: writeQuerySchema,
      headers: { ...ifMatch, ...ONCE },
      answers: GONE,
      errors: ['TCN_NOT_FOUND', 'TCN_INVALID', 'TCN_PRECONDITION_FAILED', 'TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'],
    },
  },
};

const UPKEEP_API: ApiDescription = {
  tag: 'registry',
  description: 'The registry as a whole',
  operations: {
    'POST /v1/apply': {
      summary: 'Declare many things at once',
      description:
        'What `tocsin.yaml` says. All of it is valid and applied, or nothing is; what it does not name stays, unless it prunes.',
      headers: ONCE,
      body: {
        schema: applyRequestSchema,
        example: {
          owner: 'edge-platform',
          targets: [
            {
              name: 'edge-ams-1',
              kind: 'node',
              check: { type: 'tcp', host: 'edge-ams-1.example.net', port: 443, interval: '1h' },
            },
          ],
          subscriptions: [
            {
              name: 'ops-log',
              types: ['io.tocsin.node.*'],
              destination: { kind: 'webhook', url: 'https://hooks.example.net/log' },
            },
          ],
        },
      },
      answers: { 200: { description: 'What was done, or with `dryRun` would be', schema: applyReplySchema } },
      errors: [
        ...(['TCN_INVALID', 'TCN_EGRESS_BLOCKED', 'TCN_CONFLICT', 'TCN_PRECONDITION_FAILED'] as const),
        ...(['TCN_VERSION_CONFLICT', 'TCN_TIMEOUT'] as const),
      ],
    },
    'POST /v1/registry/rebuild': {
      summary: 'Make the tables anew from the log',
      description: 'Says of each table whether a byte was different. Reads go on meanwhile, writes wait.',
      answers: {
        200: {
          description: 'What was found',
          schema: z.object({
            position: z.int(),
            tables: z.array(z.object({ table: z.string(), rows: z.int(), digest: z.string(), changed: z.boolean() })),
          }),
        },
      },
      errors: ['TCN_TIMEOUT'],
    },
  },
};

/** All routes of the registry, for the OpenAPI document. */
export const REGISTRY_API: readonly ApiDescription[] = [
  TARGET_API,
  SUBSCRIPTION_API,
  MAINTENANCE_API,
  KEY_API,
  UPKEEP_API,
];
