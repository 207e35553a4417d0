import { hostname } from 'node:os';
import { durationSchema } from '@tocsin/contracts';
import { parseDuration } from '@tocsin/domain';
import { commonFields, type ConfigField, type ConfigValues, defineConfig, required } from '@tocsin/platform';
import { z } from 'zod';

function count(description: string, fallback: string, bounds: { min: number; max: number }): ConfigField<number> {
  const message = `must be a whole number from ${bounds.min} to ${bounds.max}`;
  return {
    schema: z
      .string()
      .regex(/^\d{1,9}$/, message)
      .transform(Number)
      .refine((value) => value >= bounds.min && value <= bounds.max, message),
    description,
    default: fallback,
  };
}

const nameField = (description: string, fallback: string, example: string): ConfigField<string> => ({
  schema: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, 'must be letters, digits, ".", "_" or "-"'),
  description,
  default: fallback,
  example,
});

/** The machine's name as an observer id: what no id may hold becomes a hyphen. */
function machineName(): string {
  const name = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return name === '' ? 'observer' : name.slice(0, 128);
}

/** Environment of an observer. */
export const healthProbeConfig = defineConfig({
  TOCSIN_HTTP_HOST: commonFields.TOCSIN_HTTP_HOST,
  TOCSIN_HTTP_PORT: commonFields.TOCSIN_HTTP_PORT,
  TOCSIN_NATS_URL: commonFields.TOCSIN_NATS_URL,
  TOCSIN_API_KEY: required(commonFields.TOCSIN_API_KEY),
  TOCSIN_LOG_LEVEL: commonFields.TOCSIN_LOG_LEVEL,
  TOCSIN_LOG_FORMAT: commonFields.TOCSIN_LOG_FORMAT,
  TOCSIN_OBSERVER_ID: {
    ...nameField('Name of this observer in events and votes; no two may have the same.', machineName(), 'fra-1'),
    defaultShown: 'the name of the machine',
  },
  TOCSIN_SITE: nameField('Where this observer stands. Votes are asked from other sites first.', 'default', 'fra'),
  TOCSIN_CANARIES: {
    schema: z
      .string()
      .optional()
      .transform((text) => (text ?? '').split(',').filter((address) => address !== ''))
      .refine(
        (addresses) => addresses.every((address) => /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}$/.test(address)),
        'must be host:port, several with commas between',
      ),
    description:
      'Addresses that answer (TCP) wherever this observer is well. Where most of them and NATS do not, it takes itself for isolated.',
    example: 'gateway.example.net:443,10.0.0.1:22',
  },
  TOCSIN_ICMP: {
    schema: z
      .string()
      .regex(/^(?:off|on|\/.+)$/, 'must be off, on, or the path of a ping')
      .transform((text) => (text === 'off' ? undefined : text === 'on' ? 'ping' : text)),
    description:
      'Whether this observer makes ICMP checks: off, on (through `ping` on the PATH), or the path of a ping. It must have the right to send echo requests.',
    default: 'off',
    example: '/usr/bin/ping',
  },
  TOCSIN_FLAPPING_HALF_LIFE: {
    schema: durationSchema({ min: '1s', max: '1d' }).transform((text) => parseDuration(text) ?? 0),
    description: 'In this time half of what a target has flapped is forgiven.',
    default: '10m',
  },
  TOCSIN_PROBE_IN_FLIGHT: count('Checks in flight at once in this process.', '500', { min: 1, max: 20_000 }),
  TOCSIN_PROBE_IN_FLIGHT_PER_PEER: count('Checks in flight at once towards one host and port.', '2', {
    min: 1,
    max: 1_000,
  }),
});

/** Parsed environment of an observer. */
export type HealthProbeConfig = ConfigValues<typeof healthProbeConfig.fields>;
