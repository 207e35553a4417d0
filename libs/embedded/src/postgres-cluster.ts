import { isTocsinError, TocsinError } from '@tocsin/domain';
import { spawn } from 'node:child_process';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makePassword, readPassword } from './password-file.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { commandAs, type RunAs } from './run-as.js';

/** Name of the superuser and of the database a new cluster has. */
export const POSTGRES_NAME = 'tocsin';

const MAJOR = '18';

/** A cluster on disk, ready to be served. */
export interface Cluster {
  dataDir: string;
  password: string;
}

/** How to reach and make a cluster. */
export interface ClusterOptions {
  home: string;
  binaries: PostgresBinaries;
  runAs: RunAs | undefined;
  env: NodeJS.ProcessEnv;
  durable: boolean;
}

/**
 * The cluster in `home`, made on first use: superuser and database `tocsin`, UTF-8, a collation that does not depend on the operating
 * system's, data checksums, passwords by SCRAM.
 * @throws TocsinError TCN_DATA_DIR when it cannot be made or belongs to another major version.
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = join(options.home, 'data');
  const passwordPath = join(options.home, 'password');
  const version = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (version === '') {
    await makeCluster(options, dataDir, passwordPath).catch((error: unknown) => {
      if (isTocsinError(error)) throw error;
      throw new TocsinError('TCN_DATA_DIR', `no database can be made in ${options.home}: ${String(error)}`, {
        cause: error,
      });
    });
  } else if (version !== MAJOR) {
    throw new TocsinError(
      'TCN_DATA_DIR',
      `${dataDir} was made by Postgres ${version}, and this is ${MAJOR}: dump it with the old version and restore it, or choose another data directory`,
    );
  }
  const password = await readPassword(passwordPath);
  if (password === undefined) {
    throw new TocsinError(
      'TCN_DATA_DIR',
      `${passwordPath}, which holds the password of the database beside it, is missing`,
    );
  }
  return { dataDir, password };
}

async function makeCluster(options: ClusterOptions, dataDir: string, passwordPath: string): Promise<void> {
  const { home, binaries, runAs, durable } = options;
  // Made aside and moved when whole: a start that was killed half-way leaves nothing that looks like a cluster.
  const draft = join(home, 'data.new');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const password = await makePassword(passwordPath);
  // A file of its own for the server's user; the lasting one stays ours.
  const handover = join(home, 'password.new');
  await rm(handover, { force: true });
  await writeFile(handover, `${password}\n`, { mode: 0o600 });
  if (runAs !== undefined) for (const path of [draft, handover]) await chown(path, runAs.uid, runAs.gid);
  const sync = durable ? [] : ['--no-sync'];
  try {
    await runToEnd(
      options,
      binaries.initdb,
      [
        `--pgdata=${draft}`,
        `--username=${POSTGRES_NAME}`,
        `--pwfile=${handover}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
        ...sync,
      ],
      '',
    );
  } finally {
    await rm(handover, { force: true });
  }
  await runToEnd(
    options,
    binaries.postgres,
    ['--single', '-D', draft, '-c', `fsync=${durable ? 'on' : 'off'}`, '-c', 'exit_on_error=on', 'postgres'],
    `CREATE DATABASE ${POSTGRES_NAME}\n`,
  );
  await rename(draft, dataDir);
}

async function runToEnd(options: ClusterOptions, program: string, args: string[], input: string): Promise<void> {
  const { home, runAs, env } = options;
  const { command, args: line, ...user } = await commandAs(runAs, program, args, [program, join(home, 'data')]);
  return new Promise((resolve, reject) => {
    const child = spawn(command, line, { env, cwd: home, stdio: 'pipe', ...user });
    let output = '';
    const collect = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000));
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const fail = (reason: string, cause?: unknown) =>
      reject(
        new TocsinError('TCN_DATA_DIR', `the database could not be made: ${reason}\n${output}`.trimEnd(), { cause }),
      );
    child.on('error', (error) => fail(error.message, error));
    child.on('close', (code, name) =>
      code === 0 ? resolve() : fail(`${program} ended with ${name ?? `exit code ${code}`}`),
    );
    // A program that ended early has said why on its output.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
