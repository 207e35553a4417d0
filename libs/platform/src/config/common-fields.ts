import { z } from 'zod';
import { isLogLevelSpec } from '../logging/log-levels.js';
import { isMasterKey, MASTER_KEY_SYNTAX } from '../secrets/master-key.js';
import type { ConfigField } from './define-config.js';

/** Fewest characters of an API key: 32 of a 64-character alphabet are 192 bits, beyond guessing even at a tenth of that. */
export const API_KEY_MIN_CHARS = 32;

const portSchema = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number, 0 to 65535')
  .transform(Number)
  .refine((port) => port <= 65_535, 'must be a port number, 0 to 65535');

function field<Output>(definition: ConfigField<Output>): ConfigField<Output> {
  return definition;
}

/** Variables that several services share; a service spreads those that it needs into its own `defineConfig`. */
export const commonFields = {
  TOCSIN_HTTP_HOST: field({
    schema: z.string().regex(/^[^\s/]+$/, 'must be a host name or an IP address'),
    description:
      'Address the HTTP server, and where there is one the gRPC server, listens on. `0.0.0.0` or `::` for all.',
    default: '127.0.0.1',
  }),
  TOCSIN_HTTP_PORT: field({
    schema: portSchema,
    description: 'Port the HTTP server listens on. `0` takes any free one.',
    default: '7070',
  }),
  TOCSIN_GRPC_PORT: field({
    schema: portSchema,
    description: 'Port the gRPC server listens on. `0` takes any free one.',
    default: '7071',
  }),
  TOCSIN_POSTGRES_URL: field({
    schema: z.string().regex(/^postgres(?:ql)?:\/\//, 'must be a URL that starts with postgres://'),
    description: 'Connection string of Postgres (15 or newer).',
    secret: true,
    example: 'postgres://tocsin:password@postgres:5432/tocsin',
  }),
  TOCSIN_NATS_URL: field({
    schema: z
      .string()
      .regex(
        /^(?:(?:nats|tls):\/\/)?[^\s/,]+(?:,(?:(?:nats|tls):\/\/)?[^\s/,]+)*$/,
        'must be nats://host:port, several with commas between',
      ),
    description: 'Servers of NATS (2.12 or newer, with JetStream), commas between several.',
    secret: true,
    example: 'nats://nats-1:4222,nats://nats-2:4222',
  }),
  TOCSIN_API_KEY: field({
    schema: z.string().min(API_KEY_MIN_CHARS, `must have at least ${API_KEY_MIN_CHARS} characters`).optional(),
    description:
      'Bootstrap key with the role admin, any string of at least 32 characters. Where unset, one is made and kept in the data directory.',
    secret: true,
  }),
  TOCSIN_MASTER_KEY: field({
    schema: z.string().refine(isMasterKey, `must be ${MASTER_KEY_SYNTAX}`).optional(),
    description:
      'Key that seals stored secrets: 32 bytes in base64 or hex. To rotate it put the new key first, then the old ones, with commas between. Where unset, one is made and kept in the data directory.',
    secret: true,
  }),
  TOCSIN_DATA_DIR: field({
    schema: z.string(),
    description: 'Directory for what a process keeps on disk.',
    default: '.tocsin',
  }),
  TOCSIN_EGRESS_ALLOW: field({
    schema: z.string(),
    description:
      'Where webhooks may go: `public`, `private`, `loopback`, CIDRs, with commas between. Link-local metadata addresses never.',
    default: 'public',
    example: 'public,10.20.0.0/16',
  }),
  TOCSIN_LOG_LEVEL: field({
    schema: z
      .string()
      .refine(isLogLevelSpec, 'must be a level (trace, debug, info, warn, error, fatal, silent), then module=level …'),
    description: 'Least level that is logged, and after it exceptions for single modules.',
    default: 'info',
    example: 'info,relay=debug',
  }),
  TOCSIN_LOG_FORMAT: field({
    schema: z.enum(['json', 'pretty'], 'must be json or pretty').optional(),
    description: 'Where unset: `pretty` on a terminal, else `json`.',
  }),
};
