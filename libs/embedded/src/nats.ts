import type { JsonObject, JsonValue } from '@tocsin/domain';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { findNatsServer } from './find-nats-server.js';
import { freePort } from './free-port.js';
import { launchOnPort } from './launch-on-port.js';
import { makePassword, readPassword } from './password-file.js';
import type { ServerExit, ServerKind } from './running-server.js';
import { ServerHome } from './server-home.js';

/** How to run the embedded nats-server. */
export interface StartNatsOptions {
  /** Folder of its own: holds the JetStream store, the password (0600), the configuration, the logs. Made if missing. */
  dataDir: string;
  /** Port on 127.0.0.1; a free one if not given. */
  port?: number;
  /** Further configuration, merged over ours: e.g. `{ server_name: 'n1', cluster: { … } }`. */
  config?: JsonObject;
  /** Path of the program; sought by `findNatsServer` if not given. */
  binary?: string;
  /** Told, one line each, what takes time. */
  log?: (line: string) => void;
}

/** A nats-server that runs as a child of this process. */
export interface NatsServer {
  /** Connection string, with user and password in it (unless `config` sets accounts of its own). */
  url: string;
  port: number;
  pid: number;
  /** Its HTTP monitoring, e.g. `${monitorUrl}/jsz`. */
  monitorUrl: string;
  /** Settles when the server has ended, by whatever cause. */
  exited: Promise<ServerExit>;
  /** Shuts down cleanly: the store is written. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash; for tests. */
  kill9(): void;
}

const NATS_USER = 'tocsin';

const KIND: ServerKind = {
  name: 'nats-server',
  failure: 'TCN_NATS_UNREACHABLE',
  stopSignals: ['SIGTERM'],
  patienceMs: 10_000,
};

// It takes no connections before every stream in the store has been read.
const READY_TIMEOUT_MS = 60_000;

/**
 * Starts a real nats-server with JetStream on 127.0.0.1. It ends with this process, also when this process is killed.
 * @throws TocsinError TCN_SERVER_NOT_FOUND, TCN_DATA_DIR (folder in use or not usable), TCN_PORT_IN_USE, TCN_NATS_UNREACHABLE (it did
 *   not start; with the last lines of its log).
 */
export async function startNats(options: StartNatsOptions): Promise<NatsServer> {
  const dir = resolve(options.dataDir);
  const binary = options.binary ?? (await findNatsServer(options.log === undefined ? {} : { log: options.log }));
  const home = await ServerHome.take(dir, KIND);
  try {
    const store = join(dir, 'jetstream');
    await mkdir(store, { recursive: true, mode: 0o700 });
    const passwordPath = join(dir, 'password');
    const password = (await readPassword(passwordPath)) ?? (await makePassword(passwordPath));
    // Who brings accounts of his own has said who may connect.
    const ownUser = !['authorization', 'accounts', 'operator'].some((key) => key in (options.config ?? {}));
    const configPath = join(dir, 'nats.json');
    const { server, port } = await launchOnPort(options.port, async (candidate) => {
      const monitorPort = await freePort();
      const config = merge(
        {
          ...ownConfig(candidate, monitorPort, store),
          ...(ownUser ? { authorization: { user: NATS_USER, password } } : {}),
        },
        options.config ?? {},
      );
      // The password stands in it.
      await rm(configPath, { force: true });
      await writeFile(configPath, JSON.stringify(config, undefined, 2), { mode: 0o600 });
      const running = await home.launch({
        command: binary,
        args: ['--config', configPath],
        env: { PATH: process.env['PATH'], TZ: 'UTC' },
        isReady: () => greets(candidate),
        readyTimeoutMs: READY_TIMEOUT_MS,
      });
      return { running, monitorPort };
    });
    return {
      url: `nats://${ownUser ? `${NATS_USER}:${password}@` : ''}127.0.0.1:${port}`,
      port,
      pid: server.running.pid,
      monitorUrl: `http://127.0.0.1:${server.monitorPort}`,
      exited: server.running.exited,
      stop: () => server.running.stop(),
      kill9: () => server.running.kill9(),
    };
  } catch (error) {
    await home.leave();
    throw error;
  }
}

function ownConfig(port: number, monitorPort: number, store: string): JsonObject {
  return {
    host: '127.0.0.1',
    port,
    http: `127.0.0.1:${monitorPort}`,
    jetstream: { store_dir: store },
    // The server's own limit of 1 MB is below what a batch of events may have.
    max_payload: 8 * 1024 * 1024,
    max_pending: 64 * 1024 * 1024,
  };
}

function merge(base: JsonObject, over: JsonObject): JsonObject {
  const merged: JsonObject = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return merged;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Does a NATS server say its INFO on this port? */
function greets(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (yes: boolean) => {
      socket.destroy();
      answer(yes);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.once('data', (chunk) => done(chunk.toString('latin1').startsWith('INFO ')));
  });
}
