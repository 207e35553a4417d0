import { freePort } from '@tocsin/embedded';
import { ProcessGroup, type TestProcess } from '@tocsin/testing';
import { fileURLToPath } from 'node:url';
import { API_KEY, type RunningRegistry, Servers } from './registry.harness.js';

const MAIN = fileURLToPath(new URL('../../event-recorder/src/main.ts', import.meta.url));

/** The real event recorder, as a process that may be killed and started again at the same address. */
export class RecorderProcess {
  readonly url: string;
  readonly #env: Record<string, string>;
  readonly #processes = new ProcessGroup();
  #running: TestProcess | undefined;

  constructor(servers: Servers, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#env = {
      TOCSIN_HTTP_PORT: String(port),
      TOCSIN_GRPC_PORT: '0',
      TOCSIN_POSTGRES_URL: servers.postgresUrl,
      TOCSIN_NATS_URL: servers.natsUrl,
      TOCSIN_API_KEY: API_KEY,
      TOCSIN_LOG_LEVEL: 'warn',
      TOCSIN_LOG_FORMAT: 'json',
    };
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const args = ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register', MAIN];
    this.#running = await this.#processes.spawn('event-recorder', process.execPath, args, {
      env: this.#env,
      ready: { url: `${this.url}/readyz` },
    });
  }

  async kill9(): Promise<void> {
    await this.#running?.kill9();
  }

  /** Ends all that was started, also what never became ready. */
  async close(): Promise<void> {
    await this.#processes.kill9();
  }
}

/** A registry that is ready, beside the real event recorder; `close` ends all of it. */
export interface RecordedStage extends RunningRegistry {
  readonly servers: Servers;
  readonly recorder: RecorderProcess;
}

/** For specs of what the two do together. */
export async function startRecordedStage(): Promise<RecordedStage> {
  const servers = await Servers.start();
  const recorder = new RecorderProcess(servers, await freePort());
  const opened: { close(): Promise<void> }[] = [{ close: () => servers.stop() }, recorder];
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).toReversed()) await one.close();
  };
  try {
    await recorder.start();
    const registry = await servers.registry();
    opened.push(registry);
    await registry.ready();
    const broker = await servers.connect('spec');
    opened.push(broker);
    return { ...registry, broker, servers, recorder, close };
  } catch (error) {
    await close();
    throw error;
  }
}
