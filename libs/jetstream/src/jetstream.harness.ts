import type { JsonObject, RecordedEvent } from '@tocsin/domain';
import { startNats, type NatsServer } from '@tocsin/embedded';
import { jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Broker } from './broker.js';
import { linkOf } from './link-registry.js';
import type { LogPage } from './log-reader.js';

/** A real nats-server on one port and one store, which can be killed, wiped, and put back to an older copy of its store. */
export class NatsUnderTest {
  #server: NatsServer;
  readonly #brokers: Broker[] = [];

  private constructor(
    readonly folder: string,
    server: NatsServer,
    private readonly config: JsonObject,
  ) {
    this.#server = server;
  }

  static async start(config: JsonObject = {}): Promise<NatsUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-jetstream-'));
    const server = await startNats({ dataDir: join(folder, 'nats'), config });
    return new NatsUnderTest(folder, server, config);
  }

  get url(): string {
    return this.#server.url;
  }

  /** A connection that is closed with the fixture. */
  async broker(name = 'spec'): Promise<Broker> {
    const broker = await Broker.connect({ servers: this.url, name });
    this.#brokers.push(broker);
    return broker;
  }

  /** SIGKILL. Synchronous up to the signal, so that a test can kill in the middle of something. */
  async kill(): Promise<void> {
    this.#server.kill9();
    await this.#server.exited;
  }

  /** Says nothing more, and keeps every connection: to the other side it is as if packets were dropped. */
  fallSilent(): void {
    process.kill(this.#server.pid, 'SIGSTOP');
  }

  speakAgain(): void {
    process.kill(this.#server.pid, 'SIGCONT');
  }

  async revive(): Promise<void> {
    const { port } = this.#server;
    this.#server = await startNats({ dataDir: join(this.folder, 'nats'), port, config: this.config });
  }

  /** Only while it is down. */
  async wipe(): Promise<void> {
    await rm(join(this.folder, 'nats', 'jetstream'), { recursive: true });
  }

  /** Only while it is down. */
  async backUp(): Promise<void> {
    await cp(join(this.folder, 'nats', 'jetstream'), join(this.folder, 'backup'), { recursive: true });
  }

  /** Only while it is down. */
  async restore(): Promise<void> {
    await this.wipe();
    await cp(join(this.folder, 'backup'), join(this.folder, 'nats', 'jetstream'), { recursive: true });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    await this.#server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A log in memory, standing for the one in Postgres: gapless positions, what is appended stays. */
export class FakeLog {
  readonly events: RecordedEvent[] = [];

  constructor(private readonly flavour = 'log') {}

  append(count: number): void {
    for (let left = count; left > 0; left--) this.events.push(eventAt(this.events.length + 1, this.flavour));
  }

  readonly read = (after: number, limit: number): Promise<RecordedEvent[]> =>
    Promise.resolve(this.events.slice(after, after + limit));

  readonly head = (): Promise<number> => Promise.resolve(this.events.length);

  readonly page = async (after: number, limit: number): Promise<LogPage> => ({
    events: await this.read(after, limit),
    head: this.events.length,
  });
}

/** An event such as the log holds at `position`. */
export function eventAt(position: number, flavour = 'log'): RecordedEvent {
  return {
    id: `evt_${flavour}_${position}`,
    source: 'tocsin/health-probe',
    type: position % 2 === 0 ? 'io.tocsin.node.online' : 'io.tocsin.node.offline',
    subject: `node/edge-${position % 50}`,
    time: '2026-05-01T10:00:00.000Z',
    position,
    version: Math.ceil(position / 50),
    recordedAt: '2026-05-01T10:00:01.000Z',
    extensions: { episode: `ep_${position}` },
    data: { from: 'up', to: 'down', labels: { site: 'fra' }, evidence: 'x'.repeat(200) },
  };
}

/** The stream's messages `from` … `to`, as an administrator sees them. */
export async function storedIn(broker: Broker, stream: string, from: number, to: number): Promise<StoredMsg[]> {
  const manager = await jetstreamManager(linkOf(broker).nats);
  const messages: StoredMsg[] = [];
  const batch = 1_000;
  for (let start = from; start <= to; start += batch) {
    const part = await manager.direct.getBatch(stream, { seq: start, batch: Math.min(batch, to - start + 1) });
    for await (const message of part) messages.push(message);
  }
  return messages;
}

/** Resolves when `condition` holds; fails with `what` after `timeoutMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await delay(10);
  }
}
