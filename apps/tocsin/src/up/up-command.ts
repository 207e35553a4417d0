import { ApiClient } from '@tocsin/client';
import { createLogger, startFailure, stopOnSignals, unknownVariables } from '@tocsin/platform';
import { access } from 'node:fs/promises';
import { relative } from 'node:path';
import { readTocsinYaml } from '../declarations/tocsin-yaml.js';
import { standaloneConfig } from './standalone-config.js';
import { type Standalone, startStandalone } from './standalone.js';

/** The file of declarations that is applied at the start where it exists. */
const DECLARATIONS = 'tocsin.yaml';

/** `tocsin up`: everything in one process, until a signal ends it. What keeps it from starting is one line, and exit code 1. */
export async function up(options: { file?: string }): Promise<void> {
  const startedAt = performance.now();
  try {
    const config = standaloneConfig.parse(process.env);
    const file = options.file ?? ((await exists(DECLARATIONS)) ? DECLARATIONS : undefined);
    const declarations = file === undefined ? undefined : await readTocsinYaml(file);
    const logger = createLogger({ name: 'tocsin', level: config.TOCSIN_LOG_LEVEL, format: config.TOCSIN_LOG_FORMAT });
    for (const warning of unknownVariables(process.env, [standaloneConfig.fields])) logger.warn(warning);

    let standalone: Standalone | undefined;
    const starting = startStandalone({ config, logger, say: (line) => console.log(line) });
    // From the first moment on, so that Ctrl-C during the start leaves nothing behind either.
    stopOnSignals({
      logger,
      stop: async () => {
        standalone ??= await starting.catch(() => undefined);
        await standalone?.stop();
      },
    });
    standalone = await starting;
    try {
      const lines = welcome(standalone, performance.now() - startedAt);
      if (declarations !== undefined) {
        const done = await new ApiClient(standalone).apply(declarations);
        lines.push(
          `  declared    ${file}: ${done.created.length} created, ${done.updated.length} changed, ${done.unchanged.length} as before`,
          ...Object.entries(done.secrets).map(
            ([name, secret]) => `  secret      ${name}: ${secret}   (shown this once)`,
          ),
        );
      }
      console.log([...lines, ...firstSteps(standalone)].join('\n'));
    } catch (error) {
      await standalone.stop();
      throw error;
    }
  } catch (error) {
    console.error(startFailure('tocsin', error));
    process.exit(1);
  }
}

function welcome(standalone: Standalone, tookMs: number): string[] {
  const { apiKeyFile } = standalone;
  const key =
    apiKeyFile === undefined
      ? 'as TOCSIN_API_KEY says'
      : `${standalone.apiKeyIsNew ? `${standalone.apiKey}   (shown this once; kept in ` : '(in '}${shortest(apiKeyFile)})`;
  return [
    '',
    `Tocsin is up, ${(tookMs / 1000).toFixed(1)} s.`,
    `  listens     ${standalone.url}`,
    `  data        ${standalone.dataDir}`,
    `  API key     ${key}`,
  ];
}

function firstSteps(standalone: Standalone): string[] {
  const { url, apiKeyFile } = standalone;
  const key = apiKeyFile === undefined ? '$TOCSIN_API_KEY' : `$(cat ${shortest(apiKeyFile)})`;
  const put = (path: string, body: object) => [
    `  curl -X PUT ${url}${path} -H "Authorization: Bearer ${key}" \\`,
    `    -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`,
  ];
  return [
    '',
    'Watch something, and be told:',
    ...put('/v1/targets/web', {
      kind: 'service',
      check: { type: 'http', url: 'http://127.0.0.1:8080/', interval: '5s' },
    }),
    ...put('/v1/subscriptions/me', {
      types: ['io.tocsin.*.offline', 'io.tocsin.*.online'],
      destination: { kind: 'webhook', url: 'http://127.0.0.1:9000/' },
    }),
    '',
    'Ctrl-C ends it; nothing is lost.',
  ];
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
