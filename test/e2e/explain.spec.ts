import { eventually, FakeNode, Receiver } from '@tocsin/testing';
import { execFile } from 'node:child_process';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DocumentedCommand,
  documentedCommands,
  shapeOf,
  withCommands,
  wordsOf,
} from '../harness/documented-commands.js';
import { inState, QUICK } from '../harness/fleet.js';
import { Installation, TOPOLOGIES, type Topology } from '../harness/installation.js';

const ROOT = resolve(import.meta.dirname, '../..');
const COMMAND = join(ROOT, 'apps/tocsin/dist/main.js');
const PAGE = join(ROOT, 'docs/questions.md');

describe.each(TOPOLOGIES)('explanations, %s', (topology) => {
  const nodes: FakeNode[] = [];
  const receivers: Receiver[] = [];
  let tocsin: Installation;

  beforeEach(async () => {
    // The host's name otherwise, which is another one everywhere.
    tocsin = await Installation.create(topology, { TOCSIN_OBSERVER_ID: 'obs-1' });
    await tocsin.start();
  });

  afterEach(async () => {
    await tocsin.destroy();
    await Promise.all([...nodes.splice(0), ...receivers.splice(0)].map((one) => one.close()));
  });

  async function put(path: string, body: object): Promise<void> {
    const { status, body: answer } = await tocsin.call('PUT', path, body);
    if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`);
  }

  async function receiver(status: number): Promise<string> {
    const started = await Receiver.start({ answer: { status } });
    receivers.push(started);
    return started.url;
  }

  /** Three nodes, one of them under maintenance, and subscribers of every kind; one outage with its end, one that is kept back. */
  async function play(): Promise<{ position: number; at: Date }> {
    const [good, failing, choosy] = [await receiver(200), await receiver(503), await receiver(413)];
    const of = (url: string, more: object = {}) => ({
      types: ['io.tocsin.*.offline', 'io.tocsin.*.online'],
      destination: { kind: 'webhook', url },
      ...more,
    });
    for (const name of ['edge-1', 'edge-2', 'edge-3']) {
      const node = await FakeNode.start();
      nodes.push(node);
      const disks = name === 'edge-2' ? { disks: 'old' } : {};
      const check = { ...QUICK, url: node.url };
      await put(`/v1/targets/${name}`, { kind: 'node', labels: { role: 'edge', ...disks }, check });
    }
    await put('/v1/subscriptions/on-call', of(good, { labels: { role: 'edge' } }));
    await put('/v1/subscriptions/ops-chat', of(good, { types: ['io.tocsin.gateway.*'] }));
    await put('/v1/subscriptions/billing', of(failing, { retry: { schedule: ['1h', '1h'] } }));
    await put('/v1/subscriptions/archive', of(choosy));
    await put('/v1/subscriptions/night-shift', of(good, { paused: true }));
    await put('/v1/maintenance/new-disks', {
      ...{ selector: { disks: 'old' }, reason: 'disks are exchanged' },
      start: new Date(Date.now() - 60_000).toISOString(),
      end: new Date(Date.now() + 3_600_000).toISOString(),
    });
    for (const name of ['edge-1', 'edge-2', 'edge-3']) await inState(tocsin, name, 'up');

    const at = new Date();
    await Promise.all(nodes.slice(0, 2).map((node) => node.down()));
    await inState(tocsin, 'edge-1', 'down');
    await eventually(async () => (await tocsin.events('&subject=node/edge-2&type=io.tocsin.node.offline')).length > 0, {
      what: 'edge-2 is down',
    });
    await nodes[0]?.up();
    await inState(tocsin, 'edge-1', 'up');
    const [down, up] = await tocsin.events('&subject=node/edge-1');
    if (down === undefined || up === undefined) throw new Error('the log has no outage of edge-1');
    const outcomes = async (position: number): Promise<Record<string, string>> => {
      const { body } = await tocsin.call('GET', `/v1/explain/${position}`);
      const stories = body.subscriptions as { subscription: string; outcome: string }[];
      return Object.fromEntries(stories.map(({ subscription, outcome }) => [subscription, outcome]));
    };
    const settled = { 'on-call': 'delivered', billing: 'pending', archive: 'dead', 'night-shift': 'parked' };
    for (const { position } of [down, up]) {
      const expected = { ...settled, 'ops-chat': 'not-matched' };
      await eventually(async () => expect(await outcomes(position)).toEqual(expected), {
        what: `event ${position} is settled`,
        timeoutMs: 20_000,
      });
    }
    await accountedFor(up.position);
    return { position: down.position, at };
  }

  /** Waits until the checkpoints have passed everything, what waits behind something else included. */
  async function accountedFor(position: number): Promise<void> {
    const event = { specversion: '1.0', type: 'com.acme.deployed', source: 'acme', subject: 'service/a' };
    let others = 0;
    await eventually(
      async () => {
        const { status } = await tocsin.call('GET', `/v1/deliveries/${position}-billing`);
        if (status === 200) return true;
        // What is under way for a second gets a row when something else happens.
        const other = { ...event, id: String((others += 1)) };
        await tocsin.call('POST', '/v1/events', other, { 'content-type': 'application/cloudevents+json' });
        return false;
      },
      { what: 'what waits has a row', intervalMs: 500 },
    );
    const head = (await tocsin.events()).at(-1)?.position;
    await eventually(async () => (await proof()).upTo === head, { what: 'the checkpoints are at the head' });
  }

  /** The last line of a check of the promises. */
  async function proof(): Promise<{ ok: boolean; upTo: number }> {
    const url = tocsin.urlOf('/v1/promises');
    const text = await (await fetch(url, { headers: { authorization: `Bearer ${tocsin.apiKey}` } })).text();
    return JSON.parse(text.trim().split('\n').at(-1) ?? '');
  }

  /** Runs the command as its user would; the data directory of a standalone is `.tocsin`. */
  async function run(words: readonly string[], status = 0): Promise<string> {
    const env = {
      ...{ PATH: process.env['PATH'], HOME: tocsin.folder, XDG_CONFIG_HOME: join(tocsin.folder, 'config') },
      ...{ TOCSIN_URL: tocsin.urlOf('/').slice(0, -1), TOCSIN_API_KEY: tocsin.apiKey },
    };
    return new Promise((settle, reject) => {
      execFile(process.execPath, [COMMAND, ...words], { cwd: tocsin.folder, env }, (error, out, err) => {
        const code = error === null ? 0 : error.code;
        if (code === status) settle(out);
        else reject(new Error(`tocsin ${words.join(' ')} ended with ${code}: ${out}${err}`));
      });
    });
  }

  /** The page, or a command of it, about what has happened here. */
  function here(text: string, { position, at }: { position: number; at: Date }): string {
    const clock = `${at.getHours()}:${String(at.getMinutes()).padStart(2, '0')}`;
    return text
      .replaceAll(/\bat \d+:\d\d(?=\W)/g, `at ${clock}`)
      .replace(/--at \S+/, `--at ${clock}`)
      .replace(/(events show|deliveries get) \d+/, `$1 ${position}`);
  }

  it.runIf(topology === 'standalone')(
    'the page of questions shows what its commands print',
    async () => {
      const played = await play();
      await symlink(join(tocsin.folder, 'data'), join(tocsin.folder, '.tocsin'));
      const page = await readFile(PAGE, 'utf8');
      const shown = documentedCommands(page);
      expect(shown.length).toBeGreaterThanOrEqual(12);
      const real: DocumentedCommand[] = [];
      for (const one of shown) {
        const command = here(one.command, played);
        if (command.includes('--data-dir')) await tocsin.stop();
        real.push({ ...one, command, output: await run(wordsOf(command).slice(1)) });
      }
      // `npm run docs:questions` takes over what is printed now.
      if (process.env['WRITE_DOCS'] !== undefined) await writeFile(PAGE, here(withCommands(page, real), played));
      else for (const [index, one] of real.entries()) expect(shapeOf(one.output)).toBe(shapeOf(shown[index]!.output));
    },
    90_000,
  );

  it.runIf((topology satisfies Topology) === 'distributed')(
    'every service plays its part in an answer, and the promises hold',
    async () => {
      const { position, at } = await play();
      const { body } = await tocsin.call(
        'GET',
        `/v1/explain?subject=edge-1&subscription=on-call&at=${at.toISOString()}`,
      );
      expect(body.events[0]).toMatchObject({ position, change: { from: 'up', to: 'down', confidence: 'single' } });
      expect(body.events[0].subscriptions).toMatchObject([{ subscription: 'on-call', outcome: 'delivered' }]);
      const withheld = await tocsin.call('GET', '/v1/explain?subject=edge-2');
      expect(withheld.body.summary).toMatch(/nobody was told: kept back by maintenance "new-disks"/);
      expect(await proof()).toMatchObject({ done: true, ok: true });
    },
    90_000,
  );
});
