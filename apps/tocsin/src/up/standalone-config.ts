import { deliveryConfig } from '@tocsin/delivery';
import { eventRecorderConfig } from '@tocsin/event-recorder';
import { healthProbeConfig } from '@tocsin/health-probe';
import { commonFields, type ConfigField, type ConfigValues, defineConfig } from '@tocsin/platform';
import { subscriptionRegistryConfig } from '@tocsin/subscription-registry';

function optional<Output>(field: ConfigField<Output>): ConfigField<Output | undefined> {
  return { ...field, schema: field.schema.optional() };
}

const fields = {
  ...healthProbeConfig.fields,
  ...eventRecorderConfig.fields,
  ...subscriptionRegistryConfig.fields,
  ...deliveryConfig.fields,
};

/**
 * Environment of the standalone process: what its services read, but with nothing required. Where no Postgres or NATS is named an own
 * one is started, where no key is given one is made, and receivers may stand anywhere, since most first ones stand on this machine.
 */
export const standaloneConfig = defineConfig({
  ...fields,
  TOCSIN_POSTGRES_URL: optional(fields.TOCSIN_POSTGRES_URL),
  TOCSIN_NATS_URL: optional(fields.TOCSIN_NATS_URL),
  TOCSIN_API_KEY: optional(fields.TOCSIN_API_KEY),
  TOCSIN_MASTER_KEY: optional(fields.TOCSIN_MASTER_KEY),
  TOCSIN_DATA_DIR: commonFields.TOCSIN_DATA_DIR,
  TOCSIN_EGRESS_ALLOW: { ...fields.TOCSIN_EGRESS_ALLOW, default: 'public,private,loopback' },
});

/** Parsed environment of the standalone process. */
export type StandaloneConfig = ConfigValues<typeof standaloneConfig.fields>;
