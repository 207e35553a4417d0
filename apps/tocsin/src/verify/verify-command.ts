import type { PromiseLine } from '@tocsin/delivery';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { currentConnection, isThisMachine, withClient } from '../server/connection.js';
import { linesOf } from './lines.js';
import { type LogFinding, proveLog } from './log-proof.js';
import { showProgress } from './progress.js';
import { type Verification, verification, verificationLines } from './promises.js';

type Progress = ReturnType<typeof showProgress>;
type Proof = Extract<PromiseLine, { done: true }>;

/** `tocsin verify`: every promise checked, a line each. Exit code 1 if one is broken. */
export async function verifyAll(options: ServerOptions & { dataDir?: string; json?: boolean }): Promise<void> {
  const progress = showProgress(options.json !== true);
  const found = await verified(options, progress);
  progress.end();
  if (options.json === true) printJson(found);
  else for (const line of verificationLines(found)) print(line);
  if (!found.ok) process.exitCode = EXIT.failed;
}

/** On the server that answers; on what it has left on this machine's disk if none does, or if that is asked for. */
async function verified(options: ServerOptions & { dataDir?: string }, progress: Progress): Promise<Verification> {
  if (options.dataDir !== undefined) return stopped(options.dataDir, progress);
  try {
    return await running(options, progress);
  } catch (error) {
    const dataDir = process.env['TOCSIN_DATA_DIR'] ?? '.tocsin';
    // Without a server there may be no key either.
    if (!isTocsinError(error, 'TCN_UNAVAILABLE', 'TCN_CONFIG')) throw error;
    const { url, urlFrom } = await currentConnection(options);
    if (urlFrom !== 'the default' || !isThisMachine(url) || !(await exists(join(dataDir, 'postgres')))) throw error;
    note(`nobody answers at ${url}: checking what is stored in ${dataDir}`);
    return stopped(dataDir, progress);
  }
}

async function stopped(dataDir: string, progress: Progress): Promise<Verification> {
  // Loads the services' modules, which a command that only asks does without.
  const { verifyStopped } = await import('./stopped.js');
  return verifyStopped(dataDir, (position, end) => progress.at(position, end));
}

async function running(options: ServerOptions, progress: Progress): Promise<Verification> {
  return withClient(options, async (client) => {
    const findings: LogFinding[] = [];
    const verdict = await proveLog(client, (step) => {
      findings.push(...step.findings);
      progress.at(step.position, step.head);
    });
    const response = await client.open('GET', '/v1/promises');
    for await (const text of linesOf(response.body ?? [])) {
      const line = JSON.parse(text) as PromiseLine | { done: true; error: { code: string; detail: string } };
      if (line.done === undefined) {
        progress.at(line.position, line.upTo);
        continue;
      }
      if ('error' in line) {
        throw new TocsinError('TCN_INTERNAL', `the proof broke off: ${line.error.code}: ${line.error.detail}`);
      }
      return verification('running', { verdict, findings }, line satisfies Proof);
    }
    throw new TocsinError('TCN_UNAVAILABLE', 'the proof broke off: the connection ended before its last line');
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
