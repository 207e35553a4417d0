import { TocsinError } from '@tocsin/domain';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { takeLock, type FileLock } from './file-lock.js';
import { natsFromDebian } from './nats-from-debian.js';
import { natsFromRelease } from './nats-from-release.js';
import { compareVersions, isNewEnough, natsVersion, OLDEST_NATS } from './server-version.js';

/** Where to look for a nats-server. */
export interface FindNatsServerOptions {
  /** Read: TOCSIN_NATS_SERVER, PATH, TOCSIN_CACHE_DIR, XDG_CACHE_HOME. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Told, one line each, what takes time. */
  log?: (line: string) => void;
  /** Where to fetch one from, in this order, by the name an error gives them. */
  sources?: readonly (readonly [name: string, source: NatsSource])[];
}

/** A way to get a nats-server: puts the program into `folder` and returns its path, or throws with the reason why not. */
export type NatsSource = (folder: string) => Promise<string>;

const SOURCES: readonly (readonly [string, NatsSource])[] = [
  ['the NATS project’s release archive', (folder) => natsFromRelease(folder)],
  ['the system’s packages', natsFromDebian],
];

// A download on a slow line, by another process that holds the lock.
const FETCH_PATIENCE_MS = 300_000;

/**
 * Finds a nats-server of version ≥ 2.12, in this order: `TOCSIN_NATS_SERVER`; `nats-server` on PATH; our cache; the NATS project's
 * release archive; the system's packages. What was fetched is kept in the cache.
 * @returns path of the program
 * @throws TocsinError TCN_SERVER_NOT_FOUND saying what was tried and what to install.
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['TOCSIN_NATS_SERVER'];
  if (named !== undefined && named !== '') return checkNamed(resolve(named));
  const cache = cacheFolder(env);
  return (await onPath(env)) ?? (await inCache(cache)) ?? fetchOnce(cache, options);
}

async function checkNamed(path: string): Promise<string> {
  const version = await natsVersion(path);
  if (version === undefined) {
    throw new TocsinError(
      'TCN_SERVER_NOT_FOUND',
      `TOCSIN_NATS_SERVER is ${path}, which is not a nats-server that runs here`,
    );
  }
  if (!isNewEnough(version)) {
    throw new TocsinError(
      'TCN_SERVER_NOT_FOUND',
      `TOCSIN_NATS_SERVER is ${path}, version ${version}, and ${OLDEST_NATS} or later is needed`,
    );
  }
  return path;
}

async function onPath(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const candidate = join(folder, 'nats-server');
    const version = await natsVersion(candidate);
    if (version !== undefined) return isNewEnough(version) ? candidate : undefined;
  }
  return undefined;
}

function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const own = env['TOCSIN_CACHE_DIR'];
  if (own !== undefined && own !== '') return join(resolve(own), 'nats-server');
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'tocsin', 'nats-server');
}

/** The newest usable version in the cache; versions are its folders. */
async function inCache(cache: string): Promise<string | undefined> {
  const versions = (await readdir(cache).catch(() => [])).filter(
    (name) => /^\d+\.\d+\.\d+$/.test(name) && isNewEnough(name),
  );
  for (const version of versions.sort(compareVersions).reverse()) {
    const candidate = join(cache, version, 'nats-server');
    if ((await natsVersion(candidate)) === version) return candidate;
  }
  return undefined;
}

/** Fetches under a lock, so that of several processes one does the work and the others find it done. */
async function fetchOnce(cache: string, options: FindNatsServerOptions): Promise<string> {
  await mkdir(cache, { recursive: true });
  const lock = await waitForLock(join(cache, 'lock'));
  const folder = join(cache, `.fetch-${randomUUID()}`);
  try {
    const done = await inCache(cache);
    if (done !== undefined) return done;
    await removeUnfinished(cache);
    const refusals: string[] = [];
    for (const [name, source] of options.sources ?? SOURCES) {
      options.log?.(`nats-server: trying ${name}`);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder);
      try {
        return await keep(await source(folder), cache);
      } catch (error) {
        refusals.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new TocsinError(
      'TCN_SERVER_NOT_FOUND',
      `no nats-server ${OLDEST_NATS} or later was found on PATH or in ${cache}, and none could be fetched (${refusals.join('; ')}). ` +
        'Install one (https://nats.io/download), or name its path in TOCSIN_NATS_SERVER, or a running server in TOCSIN_NATS_URL',
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
    await lock.release();
  }
}

/** What a fetch left that was killed. Under the lock, so nobody is at work in it. */
async function removeUnfinished(cache: string): Promise<void> {
  const unfinished = (await readdir(cache)).filter((name) => name.startsWith('.fetch-'));
  await Promise.all(unfinished.map((name) => rm(join(cache, name), { recursive: true, force: true })));
}

async function keep(binary: string, cache: string): Promise<string> {
  await chmod(binary, 0o755);
  const version = await natsVersion(binary);
  if (version === undefined) throw new Error('what was fetched does not run here');
  if (!isNewEnough(version)) throw new Error(`it has version ${version} only`);
  const place = join(cache, version);
  await mkdir(place, { recursive: true });
  // Within one file system a rename is atomic: whoever looks sees a whole program or none.
  await rename(binary, join(place, 'nats-server'));
  return join(place, 'nats-server');
}

async function waitForLock(path: string): Promise<FileLock> {
  const end = performance.now() + FETCH_PATIENCE_MS;
  for (;;) {
    const lock = await takeLock(path);
    if (!('heldBy' in lock)) return lock;
    if (performance.now() > end) {
      throw new TocsinError(
        'TCN_SERVER_NOT_FOUND',
        `process ${lock.heldBy} has been fetching a nats-server for too long (${path})`,
      );
    }
    await delay(100);
  }
}
