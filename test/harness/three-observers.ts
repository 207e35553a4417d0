import { FakeNode, Receiver, TcpProxy, type TestProcess } from '@tocsin/testing';
import { allUp, subscribe, told, watchAll, type DeclaredNode } from './fleet.js';
import { Installation } from './installation.js';

/** An event as these drills look at it. */
export interface StoredEvent {
  type: string;
  subject: string;
  time: string;
  recordedtime: string;
  withheld?: string;
  causedby?: string;
  reconciles?: string;
  data: { to?: string; members?: string[]; state?: string; evidence?: { observer: string }[] };
}

/** A distributed installation with three observers, and a receiver of all that is told of nodes, groups and observers. */
export class ThreeObservers {
  readonly #nodes: FakeNode[] = [];
  #up = 0;

  private constructor(
    readonly tocsin: Installation,
    readonly receiver: Receiver,
    readonly observers: readonly TestProcess[],
    /** The way of the third observer to NATS, which is its canary, too. */
    readonly line: TcpProxy,
  ) {}

  /** @param others environment of the second and third observer */
  static async start(env: Record<string, string> = {}, others: Record<string, string> = {}): Promise<ThreeObservers> {
    const tocsin = await Installation.create('distributed', env);
    await tocsin.start();
    const natsUrl = await tocsin.natsUrl();
    const line = await TcpProxy.start({ targetPort: Number(new URL(natsUrl).port) });
    const second = await tocsin.addObserver('obs-2', others);
    const third = await tocsin.addObserver('obs-3', {
      TOCSIN_NATS_URL: line.through(natsUrl),
      TOCSIN_CANARIES: `127.0.0.1:${line.port}`,
      ...others,
    });
    const receiver = await Receiver.start();
    const types = ['io.tocsin.node.*', 'io.tocsin.group.*', 'io.tocsin.observer.*'];
    receiver.secrets = [await subscribe(tocsin, 'all', receiver.url, types)];
    return new ThreeObservers(tocsin, receiver, [tocsin.process('health-probe'), second, third], line);
  }

  async destroy(): Promise<void> {
    await this.tocsin.destroy();
    await Promise.all(this.#nodes.map((node) => node.close()));
    await Promise.all([this.receiver.close(), this.line.close()]);
  }

  /** Nodes, `size` of them, each with `perNode` targets; all seen up. Their names begin with `prefix`. */
  async fleet(
    prefix: string,
    size: number,
    more: Partial<DeclaredNode> = {},
    perNode = 1,
  ): Promise<{ nodes: FakeNode[]; names: string[] }> {
    const nodes: FakeNode[] = [];
    for (let index = 0; index < size; index += 1) nodes.push(await FakeNode.start());
    this.#nodes.push(...nodes);
    const urls = nodes.flatMap(({ url }) => Array.from({ length: perNode }, () => url));
    const names = urls.map((_url, index) => `${prefix}-${index}`);
    await this.watch(urls.map((url, index) => ({ name: `${prefix}-${index}`, url, ...more })));
    return { nodes, names };
  }

  /** Declares targets and waits until all are seen up. */
  async watch(nodes: readonly DeclaredNode[]): Promise<void> {
    await watchAll(this.tocsin, nodes);
    this.#up += nodes.length;
    await allUp(this.tocsin, this.#up);
  }

  /** What the log holds of these types, about targets whose names begin with `prefix` where one is given. */
  async stored(type: string, prefix?: string): Promise<StoredEvent[]> {
    const events = (await this.tocsin.events(`&type=${type}`)) as unknown as StoredEvent[];
    return prefix === undefined ? events : events.filter(({ subject }) => subject.startsWith(`node/${prefix}-`));
  }

  /** What the receiver has got since it was cleared. */
  told(): string[] {
    return told(this.receiver.requests);
  }

  /** Whoever is watched no more disturbs no other drill. */
  async retire(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const { status } = await this.tocsin.call('DELETE', `/v1/targets/${name}`);
      if (status !== 204) throw new Error(`removing ${name}: ${status}`);
    }
    this.receiver.clear();
  }
}
