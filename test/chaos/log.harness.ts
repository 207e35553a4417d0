import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { freePort, type NatsServer, type PostgresServer, startNats, startPostgres } from '@tocsin/embedded';
import { eventually, ProcessGroup, seedCluster, type TestProcess } from '@tocsin/testing';

const MAIN = resolve(import.meta.dirname, '../../apps/event-recorder/dist/main.js');
const API_KEY = 'chaos-key-0123456789-0123456789-0123456789';

/** A request that takes longer is given up and repeated: its process may be stopped. */
const REQUEST_TIMEOUT_MS = 4_000;

/** An event as the read API shows it. */
interface ShownEvent {
  id: string;
  source: string;
  subject: string;
  position: number;
  sequence: number;
  data: { n: number };
}

/** One recorder process. */
export interface Recorder {
  url: string;
  process: TestProcess;
}

/** Producers at work: each sends its events one after the other and repeats an event until it is acknowledged. */
export interface Load {
  /** Events acknowledged so far. */
  readonly count: number;
  /** When each was acknowledged, by `performance.now()`. */
  readonly times: readonly number[];
  /** Waits until `more` further events have been acknowledged. */
  progress(more: number): Promise<void>;
  /** Ends the producers, each after an acknowledgement. */
  stop(): Promise<void>;
}

/** The log as a whole: Postgres, NATS, recorders, producers, and a check that trusts none of them. */
export class LogInstallation {
  readonly processes = new ProcessGroup();
  readonly #acknowledged = new Map<string, { position: number; producer: string; n: number }>();
  #producers = 0;

  private constructor(
    readonly folder: string,
    public postgres: PostgresServer,
    public nats: NatsServer,
  ) {}

  static async start(): Promise<LogInstallation> {
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-chaos-'));
    await seedCluster(join(folder, 'postgres'));
    const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), durability: 'fast' });
    const nats = await startNats({ dataDir: join(folder, 'nats') });
    return new LogInstallation(folder, postgres, nats);
  }

  get natsFolder(): string {
    return join(this.folder, 'nats');
  }

  async stop(): Promise<void> {
    await this.processes.kill9();
    await Promise.all([this.postgres.stop(), this.nats.stop()]);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Starts a recorder and waits until it leads or stands by. */
  async recorder(env: Record<string, string> = {}): Promise<Recorder> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const process = await this.processes.spawn(`recorder ${port}`, globalThis.process.execPath, [MAIN], {
      env: {
        TOCSIN_HTTP_PORT: String(port),
        TOCSIN_GRPC_PORT: '0',
        TOCSIN_POSTGRES_URL: this.postgres.url,
        TOCSIN_NATS_URL: this.nats.url,
        TOCSIN_API_KEY: API_KEY,
        TOCSIN_LOG_FORMAT: 'json',
        ...env,
      },
      ready: { url: `${url}/readyz` },
    });
    return { url, process };
  }

  /** Starts `producers` producers, spread over the recorders there are when each request is made. */
  load(recorders: () => Recorder[], producers: number): Load {
    const times: number[] = [];
    const stop = new AbortController();
    const produce = async (producer: string, index: number): Promise<void> => {
      for (let n = 1; !stop.signal.aborted; n += 1) {
        const event = { specversion: '1.0', id: randomUUID(), source: producer, type: 'com.acme.chaos', data: { n } };
        for (let attempt = index; ; attempt += 1) {
          const all = recorders();
          const position = await append(all[attempt % all.length]?.url ?? '', event);
          if (position !== undefined) {
            this.#acknowledged.set(event.id, { position, producer, n });
            times.push(performance.now());
            break;
          }
          await delay(25);
        }
      }
    };
    const names = Array.from({ length: producers }, () => `urn:producer:${(this.#producers += 1)}`);
    const done = Promise.all(names.map((name, index) => produce(name, index)));
    return {
      get count() {
        return times.length;
      },
      times,
      progress: async (more) => {
        const wanted = times.length + more;
        await eventually(() => times.length >= wanted, { what: `${more} more events acknowledged`, timeoutMs: 60_000 });
      },
      stop: async () => {
        stop.abort();
        await done;
      },
    };
  }

  /** What must hold whatever happened; throws what does not. Call it when no producer is at work. */
  async check(recorder: Recorder, natsUrl = this.nats.url): Promise<{ head: number }> {
    const log = await readLog(recorder.url);
    for (const [index, event] of log.entries()) {
      if (event.position !== index + 1) throw new Error(`position ${event.position} stands where ${index + 1} belongs`);
    }
    const positions = new Map(log.map((event) => [event.id, event.position]));
    if (positions.size !== log.length) throw new Error(`${log.length - positions.size} events are there twice`);
    const lost = [...this.#acknowledged].filter(([id, { position }]) => positions.get(id) !== position);
    if (lost.length > 0) throw new Error(`${lost.length} acknowledged events are not where they were said to be`);
    if (log.length !== this.#acknowledged.size) {
      throw new Error(`${log.length} events are recorded, ${this.#acknowledged.size} were acknowledged`);
    }
    const last = new Map<string, number>();
    for (const { subject, sequence, data } of log) {
      const expected = (last.get(subject) ?? 0) + 1;
      if (sequence !== expected || data.n !== expected) {
        throw new Error(`${subject}: event ${data.n} has sequence ${sequence} where ${expected} is next`);
      }
      last.set(subject, expected);
    }
    await eventually(() => streamEquals(natsUrl, log), { what: 'the stream equals the log', timeoutMs: 60_000 });
    return { head: log.length };
  }
}

/** The position, or undefined where the append was not acknowledged. */
async function append(url: string, event: object): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify(event),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const body = (await response.json()) as { events: { position: number }[] };
    return response.ok ? body.events[0]?.position : undefined;
  } catch {
    // Killed, stopped or starting: the producer repeats.
    return undefined;
  }
}

async function readLog(url: string): Promise<ShownEvent[]> {
  const events: ShownEvent[] = [];
  for (let after = 0; ;) {
    const response = await fetch(`${url}/v1/events?after=${after}&limit=1000`, {
      headers: { authorization: `Bearer ${API_KEY}` },
    });
    if (!response.ok) throw new Error(`the log cannot be read: ${await response.text()}`);
    const page = (await response.json()) as { events: ShownEvent[]; next: number };
    if (page.events.length === 0) return events;
    events.push(...page.events);
    after = page.next;
  }
}

/** Throws unless the stream ends where the log does and every message it holds is the log's event at that sequence. */
async function streamEquals(natsUrl: string, log: readonly ShownEvent[]): Promise<true> {
  const address = new URL(natsUrl.split(',')[0] ?? '');
  const servers = natsUrl.split(',').map((each) => new URL(each).host);
  const nats = await connect({ servers, user: address.username, pass: address.password });
  try {
    const { state } = await (await jetstreamManager(nats)).streams.info('EVENTS');
    if (state.last_seq !== log.length) throw new Error(`the stream is at ${state.last_seq}, the log at ${log.length}`);
    const consumer = await jetstream(nats).consumers.get('EVENTS');
    let seen = 0;
    while (seen < state.messages) {
      for await (const message of await consumer.fetch({ max_messages: 1000, expires: 5_000 })) {
        const { position, id } = message.json<ShownEvent>();
        if (position !== message.seq || log[position - 1]?.id !== id) {
          throw new Error(`sequence ${message.seq} of the stream holds event ${id} of position ${position}`);
        }
        seen += 1;
      }
    }
    return true;
  } finally {
    await nats.close();
  }
}

/** A pause of random length, so that no two runs strike at the same moment. */
export function randomPause(fromMs: number, toMs: number): Promise<void> {
  return delay(fromMs + Math.random() * (toMs - fromMs));
}

/** The longest time without an acknowledgement between two moments. */
export function longestSilenceMs(load: Load, fromMs: number, toMs = performance.now()): number {
  const moments = [fromMs, ...load.times.filter((time) => time >= fromMs && time <= toMs), toMs];
  return Math.max(...moments.slice(1).map((moment, index) => moment - (moments[index] ?? moment)));
}
