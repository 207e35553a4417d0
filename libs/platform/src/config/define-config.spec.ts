import { TocsinError } from '@tocsin/domain';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { commonFields } from './common-fields.js';
import { configExample } from './config-example.js';
import { configTable } from './config-table.js';
import { defineConfig, required } from './define-config.js';
import { unknownVariables } from './unknown-variables.js';

const config = defineConfig({
  ...commonFields,
  TOCSIN_MODE: { schema: z.enum(['a', 'b'], 'must be a or b'), description: 'Which.', default: 'a' },
});
const REQUIRED = { TOCSIN_POSTGRES_URL: 'postgres://u:p@h/db', TOCSIN_NATS_URL: 'nats://h:4222' };

function failureOf(env: Record<string, string>): TocsinError {
  try {
    config.parse(env);
  } catch (error) {
    if (error instanceof TocsinError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('defineConfig', () => {
  it('gives typed values, with defaults', () => {
    const values = config.parse({ ...REQUIRED, TOCSIN_HTTP_PORT: '8080', TOCSIN_MODE: 'b' });
    expect(values).toMatchObject({ TOCSIN_HTTP_HOST: '127.0.0.1', TOCSIN_HTTP_PORT: 8080, TOCSIN_MODE: 'b' });
    expect(values.TOCSIN_API_KEY).toBeUndefined();
    expectTypeOf(values.TOCSIN_HTTP_PORT).toEqualTypeOf<number>();
    expectTypeOf(values.TOCSIN_API_KEY).toEqualTypeOf<string | undefined>();
    expectTypeOf(values.TOCSIN_MODE).toEqualTypeOf<'a' | 'b'>();
  });

  it('names every bad variable with its reason, and no value', () => {
    const error = failureOf({
      TOCSIN_HTTP_PORT: '99999secret',
      TOCSIN_API_KEY: 'too-short-secret',
      TOCSIN_MODE: 'secret',
      TOCSIN_NATS_URL: '',
      TOCSIN_MASTER_KEY: 'secret',
      TOCSIN_LOG_LEVEL: 'secret',
      TOCSIN_LOG_FORMAT: 'secret',
      TOCSIN_POSTGRES_URL: 'mysql://secret',
    });
    expect(error.code).toBe('TCN_CONFIG');
    expect(error.faults.map((fault) => fault.pointer).toSorted()).toEqual([
      '/TOCSIN_API_KEY',
      '/TOCSIN_HTTP_PORT',
      '/TOCSIN_LOG_FORMAT',
      '/TOCSIN_LOG_LEVEL',
      '/TOCSIN_MASTER_KEY',
      '/TOCSIN_MODE',
      '/TOCSIN_NATS_URL',
      '/TOCSIN_POSTGRES_URL',
    ]);
    expect(error.message).toContain('TOCSIN_NATS_URL: is not set');
    expect(error.message).toContain('TOCSIN_API_KEY: must have at least 32 characters');
    expect(error.message).toContain('TOCSIN_HTTP_PORT: must be a port number, 0 to 65535');
    expect(JSON.stringify([error.message, error.faults])).not.toContain('secret');
  });

  it('takes an empty variable for an unset one', () => {
    expect(config.parse({ ...REQUIRED, TOCSIN_HTTP_PORT: '', TOCSIN_API_KEY: '' })).toMatchObject({
      TOCSIN_HTTP_PORT: 7070,
      TOCSIN_API_KEY: undefined,
    });
  });

  it('can insist on a field that is optional elsewhere', () => {
    const strict = defineConfig({ TOCSIN_API_KEY: required(commonFields.TOCSIN_API_KEY) });
    expect(() => strict.parse({})).toThrow('TOCSIN_API_KEY: is not set');
    expect(strict.parse({ TOCSIN_API_KEY: 'x'.repeat(32) })).toEqual({ TOCSIN_API_KEY: 'x'.repeat(32) });
  });

  it.each([
    ['TOCSIN_HTTP_PORT', '65536'],
    ['TOCSIN_HTTP_PORT', '-1'],
    ['TOCSIN_HTTP_PORT', '1e3'],
    ['TOCSIN_HTTP_HOST', 'http://x'],
    ['TOCSIN_NATS_URL', 'http://h:4222'],
    ['TOCSIN_NATS_URL', 'nats://a:4222,,nats://b:4222'],
  ])('refuses %s=%s', (name, value) => {
    expect(failureOf({ ...REQUIRED, [name]: value }).faults).toHaveLength(1);
  });

  it.each([
    ['TOCSIN_HTTP_PORT', '0'],
    ['TOCSIN_HTTP_HOST', '::'],
    ['TOCSIN_NATS_URL', 'nats://user:pa$s@a:4222,tls://b:4222'],
    ['TOCSIN_NATS_URL', 'localhost:4222'],
    ['TOCSIN_POSTGRES_URL', 'postgresql://u@/db?host=/var/run/postgresql'],
    ['TOCSIN_MASTER_KEY', 'ab'.repeat(32)],
    ['TOCSIN_LOG_LEVEL', 'warn,relay=debug'],
  ])('takes %s=%s', (name, value) => {
    expect(() => config.parse({ ...REQUIRED, [name]: value })).not.toThrow();
  });
});

describe('unknownVariables', () => {
  it('names what nobody reads, and the name that was probably meant', () => {
    const env = {
      TOCSIN_HTTP_PROT: '1',
      TOCSIN_WHATEVER: '2',
      TOCSIN_HTTP_HOST: '3',
      TOCSIN_NATS_SERVER: '4',
      PATH: '5',
    };
    expect(unknownVariables(env, [config.fields, 'TOCSIN_NATS_SERVER'])).toEqual([
      'TOCSIN_HTTP_PROT is not a variable of this process; did you mean TOCSIN_HTTP_PORT?',
      'TOCSIN_WHATEVER is not a variable of this process',
    ]);
  });
});

describe('documentation', () => {
  const fields = {
    TOCSIN_A: { schema: z.string(), description: 'First | one.', example: 'x' },
    TOCSIN_B: { schema: z.string(), description: 'Second.', default: '5' },
    TOCSIN_C: { schema: z.string().optional(), description: 'Third.', secret: true },
    TOCSIN_D: { schema: z.string(), description: 'Fourth.', default: 'host-7', defaultShown: 'the host' },
  };

  it('lists every field in a table', () => {
    expect(configTable(fields)).toBe(
      [
        '| variable | default | what it is |',
        '|---|---|---|',
        '| `TOCSIN_A` | **required** | First \\| one. Example: `x`. |',
        '| `TOCSIN_B` | `5` | Second. |',
        '| `TOCSIN_C` | – | Third. Secret. |',
        '| `TOCSIN_D` | the host | Fourth. |',
        '',
      ].join('\n'),
    );
  });

  it('writes an example in which only what must be set is set', () => {
    expect(configExample(fields)).toBe(
      '# First | one.\nTOCSIN_A=x\n\n# Second.\n# TOCSIN_B=5\n\n# Third.\n# TOCSIN_C=\n\n# Fourth.\n# TOCSIN_D=\n',
    );
  });

  it('gives a required field of ours an example that is valid', () => {
    for (const [name, field] of Object.entries(commonFields)) {
      if ('example' in field && field.example !== undefined) {
        expect([name, field.schema.safeParse(field.example).success]).toEqual([name, true]);
      }
    }
  });
});
