import { execFile } from 'node:child_process';
import { FakeNode, Receiver } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inState, watch } from '../harness/fleet.js';
import { Installation, TOPOLOGIES } from '../harness/installation.js';

const ROUTING_KEY = 'R0UT1NG-KEY-0123456789abcdef0123';
const BASIC_PASSWORD = 'pa55w0rd-0123456789-only-here';
const SLACK_PATH = '/services/T0KEN-0123456789/only-here';

describe.each(TOPOLOGIES)('destinations with secrets, %s', (topology) => {
  let tocsin: Installation;
  let node: FakeNode;
  let receiver: Receiver;

  beforeEach(async () => {
    [tocsin, node, receiver] = await Promise.all([Installation.create(topology), FakeNode.start(), Receiver.start()]);
    await tocsin.start();
  });

  afterEach(async () => {
    await Promise.all([tocsin.destroy(), node.close(), receiver.close()]);
  });

  async function subscribe(name: string, destination: object): Promise<string> {
    const { status, body } = await tocsin.call('PUT', `/v1/subscriptions/${name}`, {
      types: ['io.tocsin.node.offline', 'io.tocsin.node.online'],
      destination,
    });
    expect([name, status]).toEqual([name, 201]);
    return body.secret as string;
  }

  it('are told with them, and keep them: not in the log, not on disk, not in any output', async () => {
    const origin = new URL(receiver.url).origin;
    const secrets = [ROUTING_KEY, BASIC_PASSWORD, SLACK_PATH];
    secrets.push(await subscribe('pager', { kind: 'pagerduty', url: `${origin}/pager`, routingKey: ROUTING_KEY }));
    secrets.push(await subscribe('chat', { kind: 'slack', url: `${origin}${SLACK_PATH}` }));
    secrets.push(
      await subscribe('hook', {
        kind: 'webhook',
        url: `${origin}/hook`,
        auth: { type: 'basic', username: 'tocsin', password: BASIC_PASSWORD },
      }),
    );
    await watch(tocsin, 'a', node.url);
    await inState(tocsin, 'a', 'up');
    await node.down();
    await receiver.waitFor(3, 20_000);
    await node.up();
    await receiver.waitFor(6, 20_000);

    const at = (path: string) => receiver.requests.filter((request) => request.path === path);
    expect(at('/pager').map((request) => request.json)).toMatchObject([
      { routing_key: ROUTING_KEY, event_action: 'trigger' },
      { routing_key: ROUTING_KEY, event_action: 'resolve' },
    ]);
    const [trigger, resolve] = at('/pager').map((request) => (request.json as { dedup_key: string }).dedup_key);
    expect(resolve).toBe(trigger);
    expect(at(SLACK_PATH)).toHaveLength(2);
    const basic = `Basic ${Buffer.from(`tocsin:${BASIC_PASSWORD}`).toString('base64')}`;
    expect(at('/hook').map((request) => request.headers.authorization)).toEqual([basic, basic]);

    const tried = [];
    for (const name of ['pager', 'chat', 'hook']) {
      const preview = await tocsin.call('POST', `/v1/subscriptions/${name}/preview`, {});
      expect([name, preview.status, preview.body.matched]).toEqual([name, 200, 2]);
      const before = receiver.requests.length;
      const test = await tocsin.call('POST', `/v1/subscriptions/${name}/test`);
      expect([name, test.status]).toEqual([name, 200]);
      expect(test.body).toMatchObject({ name, delivered: true, recorded: true });
      expect(receiver.requests.slice(before)).toHaveLength(1);
      tried.push(preview.body, test.body);
    }
    expect(at('/pager').at(-1)?.json).toMatchObject({ routing_key: ROUTING_KEY, event_action: 'trigger' });
    expect(at('/hook').at(-1)).toMatchObject({ headers: { authorization: basic }, json: { test: true } });

    const shown = JSON.stringify([
      tried,
      await tocsin.events(),
      (await tocsin.call('GET', '/v1/subscriptions')).body,
      (await tocsin.call('GET', '/v1/deliveries')).body,
    ]);
    const { output } = tocsin;
    await tocsin.stop();
    for (const secret of secrets) {
      expect(shown).not.toContain(secret);
      expect(output).not.toContain(secret);
      expect(await filesWith(secret, tocsin.folder)).toEqual([]);
    }
  });
});

/** Files below a folder that hold a text: the database, its write-ahead log, JetStream's store. */
function filesWith(text: string, folder: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    execFile('grep', ['-rlaF', '--', text, folder], (error, stdout) => {
      // 1: nothing found.
      if (error !== null && error.code !== 1) reject(new Error('grep did not search', { cause: error }));
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
  });
}
