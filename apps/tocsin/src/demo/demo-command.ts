import { ApiClient } from '@tocsin/client';
import { DeliveryStatistics } from '@tocsin/delivery';
import { ProbeStatistics } from '@tocsin/health-probe';
import { createLogger, stopOnSignals } from '@tocsin/platform';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../command-line/exit.js';
import { failureLines } from '../command-line/failure.js';
import { note, print } from '../command-line/output.js';
import { standaloneConfig } from '../up/standalone-config.js';
import { type Standalone, startStandalone } from '../up/standalone.js';
import { DemoNode } from './demo-node.js';
import { DemoReceiver, type ReceivedWebhook } from './demo-receiver.js';
import { Narrator } from './narrator.js';

/** Where demos keep their data, each in a folder of its own that it removes at its end. */
const DATA_DIR = '.tocsin/demo';
/** Postgres' children see its end a moment later, and may still be writing. */
const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 };
const NODES = ['edge-1', 'edge-2', 'edge-3', 'edge-4', 'edge-5'];
const VICTIM = 'edge-3';
/** Quick checks, so that the show does not drag; the defaults are ten times slower. */
const CHECK = { type: 'http', interval: '1s', fastInterval: '250ms', timeout: '1s' } as const;
/** Longest wait for anything that is due within a few seconds, milliseconds. */
const PATIENCE_MS = 30_000;
const POLL_MS = 100;

/** `tocsin demo`: the main job on real servers, told step by step. Exit code 1 with the reason if a step fails. */
export async function demo(options: { exit: boolean }): Promise<void> {
  const narrator = new Narrator();
  const stage = new Stage();
  stopOnSignals({ logger: stage.logger, stop: () => stage.clear() });
  try {
    const tocsin = await show(narrator, stage);
    if (options.exit) {
      await stage.clear();
      narrator.done('The demo has shown what it should; everything is stopped.');
      return;
    }
    invite(narrator, stage, tocsin);
  } catch (error) {
    // Ctrl-C took the stage away in the middle of the show; its handler ends the process.
    if (stage.cleared) return;
    await stage.clear();
    for (const line of failureLines('tocsin demo', error)) note(line);
    process.exit(EXIT.failed);
  }
}

/** What stands on the stage, and has to be cleared away at the end. */
class Stage {
  readonly logger = createLogger({ name: 'tocsin', level: 'error', format: 'pretty' });
  readonly nodes = NODES.map((name) => new DemoNode(name));
  readonly receiver = new DemoReceiver(async (name, to) => {
    const node = this.nodes.find((one) => one.name === name);
    await node?.[to]();
    return node !== undefined;
  });
  /** Of this demo alone: another may be running. */
  readonly dataDir = join(DATA_DIR, String(process.pid));
  readonly #clearing = new AbortController();
  #starting: Promise<Standalone> | undefined;
  #clearedAway: Promise<void> | undefined;

  /** Has somebody begun to clear it? */
  get cleared(): boolean {
    return this.#clearing.signal.aborted;
  }

  async set(): Promise<Standalone> {
    await removeLeftovers();
    const config = standaloneConfig.parse({
      TOCSIN_HTTP_PORT: '0',
      TOCSIN_GRPC_PORT: '0',
      TOCSIN_DATA_DIR: this.dataDir,
    });
    await Promise.all([...this.nodes.map((node) => node.up()), this.receiver.start()]);
    const say = (line: string) => print(`   ${line}`);
    this.#starting = startStandalone({ config, logger: this.logger, say, signal: this.#clearing.signal });
    return this.#starting;
  }

  /** Clears everything away, also while it is being set. Idempotent. */
  clear(): Promise<void> {
    return (this.#clearedAway ??= this.#clear());
  }

  async #clear(): Promise<void> {
    this.#clearing.abort();
    const tocsin = await this.#starting?.catch(() => undefined);
    await tocsin?.stop();
    await Promise.all([...this.nodes.map((node) => node.down()), this.receiver.stop()]);
    await rm(this.dataDir, REMOVAL);
  }
}

/** Removes what demos have left that were killed. */
async function removeLeftovers(): Promise<void> {
  const names = await readdir(DATA_DIR).catch(() => []);
  const dead = names.filter((name) => !/^\d+$/.test(name) || !isRunning(Number(name)));
  await Promise.all(dead.map((name) => rm(join(DATA_DIR, name), REMOVAL)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function show(narrator: Narrator, stage: Stage): Promise<Standalone> {
  narrator.title('Tocsin: confirms a state change once, records it, and tells everybody who subscribed.');
  narrator.step('Starting a real Postgres, a real NATS and the four services …');
  const startedAt = performance.now();
  const tocsin = await stage.set();
  narrator.line(`ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s on ${tocsin.url}`);

  const client = new ApiClient(tocsin);
  narrator.step('Declaring five nodes to watch, and one receiver to tell:');
  const { secrets } = await client.apply({
    targets: stage.nodes.map((node) => ({
      name: node.name,
      kind: 'node',
      labels: { site: 'demo' },
      check: { ...CHECK, url: node.url },
    })),
    subscriptions: [
      {
        name: 'receiver',
        types: ['io.tocsin.*.offline', 'io.tocsin.*.online'],
        destination: { kind: 'webhook', url: `${stage.receiver.url}/hook` },
      },
    ],
  });
  stage.receiver.trust(secrets['receiver'] ?? '');
  await allUp(client);
  narrator.line(`${NODES.join(', ')} are up, each checked every second. Nobody hears of it: nothing has changed.`);

  const subject = `node/${VICTIM}`;
  narrator.step(`Taking ${VICTIM} down. It refuses connections from now on …`);
  let changedAt = performance.now();
  await stage.nodes.find((node) => node.name === VICTIM)?.down();
  const offline = await stage.receiver.next('io.tocsin.node.offline', subject, PATIENCE_MS);
  narrator.webhook(offline, performance.now() - changedAt);
  await recorded(narrator, client, offline);

  narrator.step(`Bringing ${VICTIM} back …`);
  changedAt = performance.now();
  await stage.nodes.find((node) => node.name === VICTIM)?.up();
  const online = await stage.receiver.next('io.tocsin.node.online', subject, PATIENCE_MS);
  narrator.webhook(online, performance.now() - changedAt);
  await recorded(narrator, client, online);
  if (online.event.episode !== offline.event.episode) throw new Error('the recovery does not belong to the outage');

  await receipt(narrator, tocsin, stage);
  return tocsin;
}

async function allUp(client: ApiClient): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (const name of NODES) {
    while ((await client.getTarget(name)).state !== 'up') {
      if (performance.now() > deadline) throw new Error(`${name} was not found up within ${PATIENCE_MS / 1000} s`);
      await sleep(POLL_MS);
    }
  }
}

/** The log has the same event at the position that the webhook names. */
async function recorded(narrator: Narrator, client: ApiClient, webhook: ReceivedWebhook): Promise<void> {
  const { event } = webhook;
  const found = (await client.call('GET', `/v1/events/${event.position}`)) as ReceivedWebhook['event'];
  if (JSON.stringify(found) !== JSON.stringify(event))
    throw new Error(`position ${event.position} holds another event`);
  narrator.fact(`recorded in the log at position ${event.position}, the very same event`);
  narrator.line();
}

/** The noise receipt: what was looked at, what had changed, what was said. The ledger is written a moment after the receiver's answer. */
async function receipt(narrator: Narrator, tocsin: Standalone, stage: Stage): Promise<void> {
  const probes = tocsin.app.get(ProbeStatistics, { strict: false });
  const deliveries = tocsin.app.get(DeliveryStatistics, { strict: false });
  const deadline = performance.now() + PATIENCE_MS;
  while (deliveries.counts().delivered < stage.receiver.received.length) {
    if (performance.now() > deadline) throw new Error('a delivery that arrived was not counted');
    await sleep(POLL_MS);
  }
  const { checks, transitions } = probes.counts();
  narrator.step('The noise receipt:');
  narrator.line();
  narrator.line(`${checks} checks made → ${transitions} transitions → ${deliveries.counts().delivered} deliveries`);
  narrator.line();
}

function invite(narrator: Narrator, stage: Stage, tocsin: Standalone): void {
  const key = `-H "Authorization: Bearer $(cat ${stage.dataDir}/api-key)"`;
  narrator.done('It stays up for you to play with:');
  narrator.line();
  narrator.line(`curl -X POST ${stage.receiver.url}/nodes/edge-1/down      take a node down, or up again`);
  for (const path of ['targets', 'events', 'deliveries']) narrator.line(`curl ${key} ${tocsin.url}/v1/${path}`);
  narrator.line();
  narrator.aside('Ctrl-C ends it.');
}
