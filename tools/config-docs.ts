import { deliveryConfig } from '@tocsin/delivery';
import { eventRecorderConfig } from '@tocsin/event-recorder';
import { healthProbeConfig } from '@tocsin/health-probe';
import { type ConfigFields, configTable } from '@tocsin/platform';
import { subscriptionRegistryConfig } from '@tocsin/subscription-registry';
import { z } from 'zod';
// The command is no library: its package exports nothing.
// oxlint-disable-next-line no-restricted-imports
import { standaloneConfig } from '../apps/tocsin/src/up/standalone-config.js';

/** Where the reference stands in the repository. */
export const CONFIG_DOCS_PATH = 'docs/configuration.md';

const SERVICES: readonly [string, string, ConfigFields][] = [
  ['event-recorder', 'the one writer of the log', eventRecorderConfig.fields],
  ['subscription-registry', 'who watches what and who is told', subscriptionRegistryConfig.fields],
  ['delivery', 'matching, sending, retrying', deliveryConfig.fields],
  ['health-probe', 'an observer', healthProbeConfig.fields],
];

/** What `tocsin up` reads besides, to find a nats-server to start. */
const EMBEDDED: ConfigFields = {
  TOCSIN_NATS_SERVER: {
    schema: z.string().optional(),
    description:
      'The nats-server to start (2.12 or newer). Where unset it is sought on the PATH, in the cache, and then fetched.',
    example: '/usr/local/bin/nats-server',
  },
  TOCSIN_CACHE_DIR: {
    schema: z.string(),
    description: 'Where a nats-server that was fetched is kept.',
    default: '~/.cache/tocsin',
  },
};

/** The variables of OpenTelemetry that matter most here; all of its specification hold. */
const TELEMETRY: ConfigFields = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z.string().optional(),
    description:
      'Where spans go. Without it, or `OTEL_TRACES_EXPORTER`, nothing is traced and tracing is not even loaded.',
    example: 'http://otel-collector:4318',
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: {
    schema: z.string(),
    description: 'How they go: `grpc`, `http/protobuf` or `http/json`.',
    default: 'http/protobuf',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    schema: z.string().optional(),
    description: 'Headers of the collector, such as its key.',
    secret: true,
  },
  OTEL_SERVICE_NAME: {
    schema: z.string(),
    description: 'Name of the process in traces.',
    default: 'tocsin',
    defaultShown: '`tocsin`, or `tocsin-` and the name of the service',
  },
  OTEL_TRACES_SAMPLER: {
    schema: z.string(),
    description:
      'Which traces are kept; with `parentbased_traceidratio` the share stands in `OTEL_TRACES_SAMPLER_ARG`.',
    default: 'parentbased_always_on',
  },
  OTEL_SDK_DISABLED: {
    schema: z.string(),
    description: '`true`: nothing is traced, whatever else is set.',
    default: 'false',
  },
};

/** The reference of all environment variables, in Markdown. */
export function configDocs(): string {
  const services = SERVICES.map(([name, is, fields]) => `## ${name}\n\n${capital(is)}.\n\n${configTable(fields)}`);
  return `# Configuration

<!-- Written by \`npm run codegen:config\` from the services' own definitions; changes here are overwritten. -->

Services are configured by environment variables alone. An empty variable counts as unset. A process that is given a wrong or an
incomplete configuration does not start: it names every variable at fault and the reason in one line on stderr, never a value, and ends
with exit code 1. A \`TOCSIN_\` variable that nobody reads is warned of, with the name that was probably meant. What is watched and who is told is
not configuration: that is declared, see \`tocsin apply\`.

## tocsin up

Everything in one process. Nothing is required: where no Postgres or NATS is named it starts its own, where no key is given it makes one.

${configTable(standaloneConfig.fields)}
${configTable(EMBEDDED)}
${services.join('\n')}
## Telemetry

Metrics are always at \`/metrics\`, see [metrics.md](metrics.md). Spans ([tracing.md](tracing.md)) go where the variables of
[OpenTelemetry](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) say; these matter most:

${configTable(TELEMETRY).trimEnd()}
`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
