import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, Receiver, type TestProcess } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inState, subscribe, watchAll } from '../harness/fleet.js';
import { Installation } from '../harness/installation.js';

/** A target that knows which observer asks, and can hold back its answer to some of them. */
class Node {
  readonly #server: Server;
  /** Observers that have asked, newest last; only while `up` is false those whom it has failed. */
  readonly failed: string[] = [];
  #owner = '';
  up = true;
  /** Answers to others than the owner wait until this resolves. */
  othersWait: Promise<void> = Promise.resolve();

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Who probed last while it was up: nobody else does then. */
  get owner(): string {
    return this.#owner;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const observer = /\((.*)\)/.exec(request.headers['user-agent'] ?? '')?.[1] ?? '';
    if (this.up) this.#owner = observer;
    else this.failed.push(observer);
    const status = this.up ? 200 : 503;
    if (observer !== this.#owner) await this.othersWait;
    response.writeHead(status).end();
  }
}

describe('kill -9 of the observer that watches a target', () => {
  let tocsin: Installation;
  let receiver: Receiver;
  let node: Node;
  let observers: Map<string, TestProcess>;

  beforeEach(async () => {
    [tocsin, receiver, node] = [await Installation.create('distributed'), await Receiver.start(), new Node()];
    await node.listen();
    await tocsin.start();
    observers = new Map([
      ['obs-2', await tocsin.addObserver('obs-2')],
      ['obs-3', await tocsin.addObserver('obs-3')],
    ]);
    receiver.secrets = [await subscribe(tocsin, 's', receiver.url)];
    await watchAll(tocsin, [{ name: 'a', url: node.url, check: { timeout: '2s' } }]);
    await inState(tocsin, 'a', 'up');
    // The three of them have agreed by now on who watches it.
    await sleep(7_000);
  });
  afterEach(async () => {
    await tocsin.destroy();
    await node.close();
    await receiver.close();
  });

  const owner = () => observers.get(node.owner) ?? tocsin.process('health-probe');

  /** One beginning and one end were told, of one episode, and the log holds no more either. */
  async function expectOneOfEach(): Promise<void> {
    await receiver.waitFor(1, 60_000);
    await sleep(8_000);
    node.up = true;
    await receiver.waitFor(2, 60_000);
    await sleep(5_000);
    const events = receiver.requests.map(({ json }) => json as { type: string; episode: string; sequence: number });
    expect(events.map(({ type }) => type)).toEqual(['io.tocsin.node.offline', 'io.tocsin.node.online']);
    expect(events.map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(new Set(events.map(({ episode }) => episode)).size).toBe(1);
    expect((await tocsin.events('&type=io.tocsin.node.*')).map(({ type }) => type)).toEqual([
      'io.tocsin.node.offline',
      'io.tocsin.node.online',
    ]);
  }

  it('while it suspects: one announcement each', async () => {
    node.up = false;
    await eventually(() => node.failed.length > 0, { what: 'the first failure', intervalMs: 1 });
    await owner().kill9();
    expect(await tocsin.events('&type=io.tocsin.node.*')).toEqual([]);
    await expectOneOfEach();
  });

  it('while the others vote: one announcement each', async () => {
    const votes = Promise.withResolvers<void>();
    node.othersWait = votes.promise;
    node.up = false;
    await eventually(() => node.failed.some((observer) => observer !== node.owner), {
      what: 'the first vote',
      intervalMs: 1,
    });
    await owner().kill9();
    votes.resolve();
    expect(await tocsin.events('&type=io.tocsin.node.*')).toEqual([]);
    await expectOneOfEach();
  });

  it('after its change was appended, before it knew: one announcement each', async () => {
    const recorder = tocsin.process('event-recorder');
    node.up = false;
    const asked = () => node.failed.filter((observer) => observer !== node.owner).length;
    await eventually(() => asked() >= 1, { what: 'the first vote', timeoutMs: 20_000, intervalMs: 1 });
    // As late as can be: a recorder that stands still for longer than a second gives up the lead, and what it was asked is refused.
    process.kill(recorder.pid, 'SIGSTOP');
    await eventually(() => asked() >= 4, { what: 'two votes of each', timeoutMs: 20_000, intervalMs: 1 });
    // The request lies in the recorder's socket; it is committed when nobody waits for the answer any more.
    await sleep(200);
    await owner().kill9();
    process.kill(recorder.pid, 'SIGCONT');
    await eventually(async () => (await tocsin.events('&type=io.tocsin.node.*')).length === 1, {
      what: 'the append of the dead',
      timeoutMs: 4_000,
    });
    await expectOneOfEach();
  });

  it('after its change was told: one announcement each', async () => {
    node.up = false;
    await receiver.waitFor(1, 20_000);
    await owner().kill9();
    await expectOneOfEach();
  });
});
