import { commonFields, type ConfigField, type ConfigValues, defineConfig, required } from '@tocsin/platform';
import { z } from 'zod';

function countField(description: string, fallback: string, bounds: { min: number; max: number }): ConfigField<number> {
  const message = `must be a whole number from ${bounds.min} to ${bounds.max}`;
  return {
    schema: z
      .string()
      .regex(/^\d{1,13}$/, message)
      .transform(Number)
      .refine((value) => value >= bounds.min && value <= bounds.max, message),
    description,
    default: fallback,
  };
}

/** Configuration of the event recorder. */
export const eventRecorderConfig = defineConfig({
  TOCSIN_HTTP_HOST: commonFields.TOCSIN_HTTP_HOST,
  TOCSIN_HTTP_PORT: commonFields.TOCSIN_HTTP_PORT,
  TOCSIN_GRPC_PORT: commonFields.TOCSIN_GRPC_PORT,
  TOCSIN_POSTGRES_URL: commonFields.TOCSIN_POSTGRES_URL,
  TOCSIN_NATS_URL: commonFields.TOCSIN_NATS_URL,
  TOCSIN_API_KEY: required(commonFields.TOCSIN_API_KEY),
  TOCSIN_LOG_LEVEL: commonFields.TOCSIN_LOG_LEVEL,
  TOCSIN_LOG_FORMAT: commonFields.TOCSIN_LOG_FORMAT,
  TOCSIN_APPEND_MAX_WAITING: countField(
    'Events that may wait to be recorded; more are refused with 429 until there is room.',
    '20000',
    { min: 1_000, max: 1_000_000 },
  ),
  TOCSIN_APPEND_MAX_WAITING_BYTES: countField(
    'Bytes of events that may wait to be recorded; more are refused with 429 until there is room.',
    String(64 * 1024 * 1024),
    { min: 1024 * 1024, max: 16 * 1024 * 1024 * 1024 },
  ),
  TOCSIN_RELAY_REPLICAS: countField('Copies of the JetStream stream EVENTS in the NATS cluster.', '1', {
    min: 1,
    max: 5,
  }),
  TOCSIN_RELAY_MAX_BYTES: countField(
    'Size at which the JetStream stream EVENTS forgets its oldest events; the log keeps them.',
    String(2 * 1024 ** 3),
    { min: 16 * 1024 ** 2, max: 2 ** 40 },
  ),
  TOCSIN_STREAM_MAX_READERS: countField('Event streams (SSE) that may be open in a process.', '1000', {
    min: 1,
    max: 100_000,
  }),
});

/** The parsed configuration of the event recorder. */
export type EventRecorderConfig = ConfigValues<(typeof eventRecorderConfig)['fields']>;
