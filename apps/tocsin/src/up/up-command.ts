import { ApiClient } from '@tocsin/client';
import { createLogger, stopOnSignals, stopTelemetry, unknownVariables } from '@tocsin/platform';
import { access } from 'node:fs/promises';
import { relative } from 'node:path';
import { EXIT } from '../command-line/exit.js';
import { failureLines } from '../command-line/failure.js';
import { note, print } from '../command-line/output.js';
import { secretLines } from '../declarations/apply-command.js';
import { APPLY_TIMEOUT_MS } from '../declarations/plan-command.js';
import { countsText } from '../declarations/plan-text.js';
import { type Declarations, readTocsinYaml } from '../declarations/tocsin-yaml.js';
import { standaloneConfig } from './standalone-config.js';
import { type Standalone, startStandalone } from './standalone.js';

/** The file of declarations that is applied at the start where it exists. */
const DECLARATIONS = 'tocsin.yaml';
/** Variables that are read where they are used: the search for nats-server, and the client commands in the same shell. */
const READ_ELSEWHERE = ['TOCSIN_NATS_SERVER', 'TOCSIN_CACHE_DIR', 'TOCSIN_URL', 'TOCSIN_PROFILE'];

/** `tocsin up`: everything in one process, until a signal ends it. What keeps it from starting is one line, and exit code 1. */
export async function up(options: { file?: string }): Promise<void> {
  try {
    await start(options);
  } catch (error) {
    await stopTelemetry();
    // As the services say it. Modules that could not be started may hold timers and sockets: the process would not end by itself.
    for (const line of failureLines('tocsin', error)) note(line);
    process.exit(EXIT.failed);
  }
}

async function start(options: { file?: string }): Promise<void> {
  const startedAt = performance.now();
  const config = standaloneConfig.parse(process.env);
  const file = options.file ?? ((await exists(DECLARATIONS)) ? DECLARATIONS : undefined);
  const declarations = file === undefined ? undefined : await readTocsinYaml(file);
  const logger = createLogger({ name: 'tocsin', level: config.TOCSIN_LOG_LEVEL, format: config.TOCSIN_LOG_FORMAT });
  for (const warning of unknownVariables(process.env, [standaloneConfig.fields, ...READ_ELSEWHERE]))
    logger.warn(warning);

  const ending = new AbortController();
  const starting = startStandalone({ config, logger, say: print, signal: ending.signal });
  // From the first moment on: Ctrl-C during the start gives it up, and leaves nothing behind either.
  const ignoreSignals = stopOnSignals({
    logger,
    stop: async () => {
      ending.abort();
      const standalone = await starting.catch(() => undefined);
      await standalone?.stop();
    },
  });
  try {
    const standalone = await starting;
    const lines = welcome(standalone, performance.now() - startedAt);
    if (declarations !== undefined) lines.push(...(await declared(standalone, declarations, file ?? '')));
    for (const line of [...lines, ...firstSteps(standalone)]) print(line);
  } catch (error) {
    // The signal's own handler ends the process; that the start was given up is no failure.
    if (ending.signal.aborted) return;
    ignoreSignals();
    await starting.then((standalone) => standalone.stop()).catch(() => undefined);
    throw error;
  }
}

async function declared(standalone: Standalone, declarations: Declarations, file: string): Promise<string[]> {
  try {
    const done = await new ApiClient({ ...standalone, timeoutMs: APPLY_TIMEOUT_MS }).apply(declarations.request);
    return [`  declared    ${file}: ${countsText(done)}`, ...secretLines(done).map((line) => `  ${line}`)];
  } catch (error) {
    throw declarations.inFile(error);
  }
}

function welcome(standalone: Standalone, tookMs: number): string[] {
  const { apiKeyFile } = standalone;
  // Only to somebody who looks: what does not go to a terminal goes to a file or to where logs are collected.
  const shown = standalone.apiKeyIsNew && process.stdout.isTTY;
  const key =
    apiKeyFile === undefined
      ? 'as TOCSIN_API_KEY says'
      : `${shown ? `${standalone.apiKey}   (shown this once; kept in ` : '(in '}${shortest(apiKeyFile)})`;
  return [
    '',
    `Tocsin is up, ${(tookMs / 1000).toFixed(1)} s.`,
    `  listens     ${standalone.url}`,
    `  gRPC        ${standalone.grpcAddress}`,
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
