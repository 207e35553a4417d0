import { eventually, FakeNode, seededRandom, type TestProcess } from '@tocsin/testing';
import { typeMatches } from '@tocsin/domain';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { TOPOLOGIES, type Topology } from '../../harness/installation.js';
import { Deployment, type DeploymentOptions } from './deployment.js';
import { judge, type Judgement } from './judge.js';
import { patienceMs } from './patience.js';
import { Subscriber } from './subscriber.js';

/** A node of the fleet, outside of Tocsin, and how it is declared. */
export interface Watched {
  name: string;
  subject: string;
  node: FakeNode;
  labels: Record<string, string>;
}

/** An event as the log shows it. */
export interface LoggedEvent {
  id: string;
  position: number;
  type: string;
  subject?: string;
  source: string;
  data?: { n?: number };
  withheld?: string;
}

/** A check that decides within seconds. */
const QUICK = { type: 'http', interval: '1s', fastInterval: '200ms', timeout: '1s' };

/** After everybody was told everything, so long whatever would come twice or unasked has its time. */
const QUIET_MS = 2_500;

/** How long everybody may take to be told, at most. */
const TOLD_MS = 90_000;

/** Where a scenario plays: a fleet, subscribers, one Tocsin, and the dice. The same seed throws the same. */
export class World {
  readonly subscribers: Subscriber[] = [];
  readonly fleet: Watched[] = [];
  /** Promises that were seen broken in the course of it. */
  readonly breaches: string[] = [];
  /** Worth saying beside the result. */
  readonly notes: string[] = [];
  readonly random: () => number;
  readonly #closers: (() => Promise<void>)[] = [];
  #deployment: Deployment | undefined;

  constructor(readonly seed: number) {
    this.random = seededRandom(seed);
    // The first numbers of neighbouring seeds are alike.
    for (let thrown = 0; thrown < 8; thrown += 1) this.random();
  }

  /** The Tocsin under test; made by {@link deploy}. */
  get tocsin(): Deployment {
    if (this.#deployment === undefined) throw new Error('deploy comes first');
    return this.#deployment;
  }

  /** One of them, by the dice. */
  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)] as T;
  }

  /** One of the two topologies, by the dice. */
  topology(): Topology {
    return this.pick(TOPOLOGIES);
  }

  /** Lets some time pass, how much by the dice: no two seeds strike at the same moment. */
  async pause(fromMs: number, toMs: number): Promise<void> {
    await delay(fromMs + this.random() * (toMs - fromMs));
  }

  /** Nodes of the fleet, all up. */
  async nodes(count: number, labels: Record<string, string> = {}, prefix = 'edge'): Promise<Watched[]> {
    const first = this.fleet.length + 1;
    const made = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const name = `${prefix}-${first + index}`;
        return { name, subject: `node/${name}`, node: await FakeNode.start(), labels };
      }),
    );
    this.fleet.push(...made);
    return made;
  }

  /** One more who is told; of what becomes of nodes unless `types` say otherwise. */
  async subscriber(
    name: string,
    types: readonly string[] = ['io.tocsin.node.offline', 'io.tocsin.node.online'],
    spec: object = {},
  ): Promise<Subscriber> {
    const subscriber = await Subscriber.start(name, types, spec);
    this.subscribers.push(subscriber);
    return subscriber;
  }

  /** Makes the Tocsin of this scenario; `before` may prepare its folders. */
  async deploy(options: DeploymentOptions): Promise<Deployment> {
    this.#deployment = await Deployment.create(options);
    this.notes.push(options.replicas === undefined ? options.topology : `${options.replicas} replicas of each service`);
    return this.#deployment;
  }

  /** Starts Tocsin with a `tocsin.yaml` that names the fleet and all subscribers, and waits until each node was seen. */
  async start(check: object = {}): Promise<void> {
    await this.tocsin.start(this.declarations(check));
    this.verifySignatures();
    await this.allSeen();
  }

  /** The `tocsin.yaml`. */
  declarations(check: object = {}): string {
    return stringify({
      version: 1,
      owner: 'chaos',
      targets: this.fleet.map(({ name, node, labels }) => ({
        ...{ name, kind: 'node', labels },
        check: { ...QUICK, url: node.url, ...check },
      })),
      subscriptions: this.subscribers.map(({ name, types, receiver, spec }) => ({
        name,
        types: [...types],
        destination: { kind: 'webhook', url: receiver.url },
        ...spec,
      })),
    });
  }

  /** Waits until each node has been looked at: from then on its changes are told. */
  async allSeen(): Promise<void> {
    await eventually(async () => (await this.log('&type=io.tocsin.target.fresh')).length >= this.fleet.length, {
      what: `${this.fleet.length} nodes were seen`,
      timeoutMs: patienceMs(120_000),
      intervalMs: 250,
    });
  }

  /** Takes a node down; whoever subscribed must hear of it. */
  async takeDown(watched: Watched): Promise<void> {
    this.must(watched.subject, 'io.tocsin.node.offline');
    await watched.node.down();
  }

  /** Brings a node back; whoever subscribed must hear of it. */
  async bringBack(watched: Watched): Promise<void> {
    this.must(watched.subject, 'io.tocsin.node.online');
    await watched.node.up();
  }

  /** From now on everybody who subscribed to the type must be told. */
  must(subject: string, type: string, n?: number): void {
    const fact = type.split('.').at(-1) ?? type;
    for (const { types, must } of this.subscribers) {
      if (!types.some((pattern) => typeMatches(pattern, type))) continue;
      must.push({ subject, says: n === undefined ? fact : `${fact} ${n}` });
    }
  }

  /** How often it had to be told of a subject so far. */
  countOf(subject: string, says: string): number {
    const counts = this.subscribers.map(
      ({ must }) => must.filter((each) => each.subject === subject && each.says === says).length,
    );
    return Math.max(0, ...counts);
  }

  /** Waits until the log holds a node's newest change, whoever has been told. */
  async recorded(watched: Watched, fact: 'offline' | 'online', times = 1): Promise<void> {
    const { subject } = watched;
    const query = `&subject=${encodeURIComponent(subject)}&type=io.tocsin.node.${fact}`;
    await eventually(async () => (await this.log(query)).length >= times, {
      what: `${subject} ${fact} is recorded`,
      timeoutMs: patienceMs(60_000),
      intervalMs: 100,
    });
  }

  /** Waits until these subscribers, or all, have been told everything so far. */
  async told(subscribers: readonly Subscriber[] = this.subscribers, timeoutMs = TOLD_MS): Promise<void> {
    await eventually(() => subscribers.every(({ toldAll }) => toldAll), {
      what: subscribers
        .map(({ name, taken, must }) => `${name} was told ${must.length} events (${taken} when this was asked)`)
        .join(', '),
      timeoutMs: patienceMs(timeoutMs),
      intervalMs: 20,
    });
  }

  /** Something else that was promised. */
  ensure(holds: boolean, breach: string): void {
    if (!holds) this.breaches.push(breach);
  }

  /** To be ended with the scenario. */
  onEnd(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** All events of the log. */
  async log(query = ''): Promise<LoggedEvent[]> {
    const all: LoggedEvent[] = [];
    for (let after = 0; ;) {
      const { events, next } = await this.tocsin.call<{ events: LoggedEvent[]; next: number }>(
        'GET',
        `/v1/events?after=${after}&limit=1000${query}`,
      );
      all.push(...events);
      if (events.length === 0) return all;
      after = next;
    }
  }

  /** Waits for the end of it all, and judges: by the receivers' own books, by the log, by Tocsin's own proofs. */
  async settle(timeoutMs = TOLD_MS): Promise<Judgement[]> {
    // Who was not told is found out by the judge, with everything else there is to say.
    await this.told(this.subscribers, timeoutMs).catch(() => undefined);
    await delay(QUIET_MS);
    const judgements = this.judgements();
    await this.#compareWithLog();
    for (const [what, path] of [
      ['log', '/v1/events'],
      ['deliveries', '/v1/deliveries'],
    ] as const) {
      const { code, output } = await this.tocsin.command(['verify', what], path);
      this.ensure(code === 0, `tocsin verify ${what} says: ${output.trim()}`);
    }
    return judgements;
  }

  /** What can be said by the receivers' books as they are. */
  judgements(): Judgement[] {
    const kills = this.#deployment?.kills ?? [];
    return this.subscribers.map(({ name, must, arrivals }) => judge({ subscriber: name, must, arrivals }, kills));
  }

  /** What every receiver saw, what was killed when, and what every process has written: texts by the name of a file. */
  evidence(): Record<string, string> {
    const json = (value: unknown): string => JSON.stringify(value, undefined, 1);
    const seen = this.subscribers.map(({ name, arrivals, must }) => [`${name}.json`, json({ must, arrivals })]);
    const clock = { performanceTimeOrigin: performance.timeOrigin, kills: this.#deployment?.kills ?? [] };
    return { ...Object.fromEntries(seen), 'kills.json': json(clock), ...this.#deployment?.outputs() };
  }

  /** Ends everything that was started. */
  async end(): Promise<void> {
    const ends = [
      ...this.fleet.map(({ node }) => node.close()),
      ...this.subscribers.map((each) => each.close()),
      this.#deployment?.end(),
    ];
    const ended = await Promise.allSettled(ends);
    // Disks can be taken away and folders removed when nobody uses them any more.
    const closed = await Promise.allSettled(this.#closers.map((close) => close()));
    for (const each of [...ended, ...closed]) if (each.status === 'rejected') throw each.reason;
    await this.#deployment?.remove();
  }

  /** Every recorded event that matches a subscription was taken by its receiver, and nothing else was. */
  async #compareWithLog(): Promise<void> {
    const log = await this.log();
    this.ensure(
      log.every(({ position }, index) => position === index + 1),
      'positions of the log are not 1, 2, 3 …',
    );
    const told = log.filter(({ withheld }) => withheld === undefined);
    for (const { name, types, arrivals } of this.subscribers) {
      const matching = told.filter(({ type }) => types.some((pattern) => typeMatches(pattern, type)));
      const taken = new Set(arrivals.filter(({ accepted }) => accepted).map(({ position }) => position));
      const lost = matching.filter(({ position }) => !taken.has(position));
      this.ensure(
        lost.length === 0,
        `${name}: ${lost.length} recorded events never came, the first at ${lost[0]?.position}`,
      );
      this.ensure(
        taken.size <= matching.length,
        `${name}: ${taken.size - matching.length} came that are not in the log`,
      );
    }
  }

  /** From now on receivers verify what they get with the secrets that were printed at the start. */
  verifySignatures(): void {
    const outputs = [...this.tocsin.running.values()].map(({ output }: TestProcess) => output);
    const text = [...outputs, this.tocsin.applied].join('\n');
    for (const { name, receiver } of this.subscribers) {
      const secret = new RegExp(`secret of ${name}: (whsec_\\S+)`).exec(text)?.[1];
      if (secret === undefined) throw new Error(`no secret of ${name} was printed`);
      receiver.secrets = [secret];
    }
  }
}
