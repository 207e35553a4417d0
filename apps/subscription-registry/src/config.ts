import { commonFields, type ConfigValues, defineConfig, required } from '@tocsin/platform';

/** Configuration of the subscription registry. */
export const subscriptionRegistryConfig = defineConfig({
  TOCSIN_HTTP_HOST: commonFields.TOCSIN_HTTP_HOST,
  TOCSIN_HTTP_PORT: commonFields.TOCSIN_HTTP_PORT,
  TOCSIN_GRPC_PORT: commonFields.TOCSIN_GRPC_PORT,
  TOCSIN_POSTGRES_URL: commonFields.TOCSIN_POSTGRES_URL,
  TOCSIN_NATS_URL: commonFields.TOCSIN_NATS_URL,
  TOCSIN_API_KEY: required(commonFields.TOCSIN_API_KEY),
  TOCSIN_MASTER_KEY: required(commonFields.TOCSIN_MASTER_KEY),
  TOCSIN_EGRESS_ALLOW: commonFields.TOCSIN_EGRESS_ALLOW,
  TOCSIN_LOG_LEVEL: commonFields.TOCSIN_LOG_LEVEL,
  TOCSIN_LOG_FORMAT: commonFields.TOCSIN_LOG_FORMAT,
});

/** The parsed configuration of the subscription registry. */
export type SubscriptionRegistryConfig = ConfigValues<typeof subscriptionRegistryConfig.fields>;
