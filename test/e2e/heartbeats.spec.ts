import { FakeNode, Receiver } from '@tocsin/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inState, subscribe, told } from '../harness/fleet.js';
import { Installation, TOPOLOGIES } from '../harness/installation.js';

const INTERVAL_MS = 1_500;

describe.each(TOPOLOGIES)('heartbeats, %s', (topology) => {
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

  /** Declares a heartbeat, and gives the address that it is sent to, at the one observer whose port is known. */
  async function declare(name: string, check: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await tocsin.call('PUT', `/v1/targets/${name}`, {
      kind: 'node',
      check: { type: 'heartbeat', interval: '1500ms', ...check },
    });
    expect(status).toBe(201);
    return tocsin.observerUrl(`/v1/heartbeats/${body.token}`);
  }

  /** What `curl -X POST` sends, again and again until `stop`. */
  function beat(urls: string[]): { stop: () => Promise<void>; statuses: Set<number> } {
    const statuses = new Set<number>();
    const stopping = new AbortController();
    const running = (async () => {
      while (!stopping.signal.aborted) {
        for (const url of urls) {
          const answer = await fetch(url, { method: 'POST' }).catch(() => undefined);
          if (answer !== undefined) statuses.add(answer.status);
        }
        await sleep(INTERVAL_MS / 4);
      }
    })();
    return {
      statuses,
      stop: async () => {
        stopping.abort();
        await running;
      },
    };
  }

  it('that end and begin again are told once each, as an outage or as the loss of the heartbeat alone', async () => {
    // Beats come to the first observer; either may watch the targets.
    if (topology === 'distributed') await tocsin.addObserver('second');
    await subscribe(tocsin, 's', receiver.url, ['io.tocsin.node.*']);
    const active = { type: 'http', url: node.url, interval: '1s', fastInterval: '200ms' };
    const urls = [await declare('silent'), await declare('agentless', { active })];

    const first = beat(urls);
    await Promise.all([inState(tocsin, 'silent', 'up'), inState(tocsin, 'agentless', 'up')]);
    await sleep(2 * INTERVAL_MS);
    expect(told(receiver.requests)).toEqual([]);
    expect(first.statuses).toContain(204);
    await first.stop();

    await receiver.waitFor(2, 30_000);
    await inState(tocsin, 'silent', 'down');
    await inState(tocsin, 'agentless', 'up');
    const second = beat(urls);
    await receiver.waitFor(4, 20_000);
    // Whatever would be told twice has had its time.
    await sleep(2 * INTERVAL_MS);
    await second.stop();

    const lines = told(receiver.requests);
    expect(lines.filter((line) => line.endsWith('/silent'))).toEqual(['offline node/silent', 'online node/silent']);
    expect(lines.filter((line) => line.endsWith('/agentless'))).toEqual([
      'heartbeat-lost node/agentless',
      'heartbeat-resumed node/agentless',
    ]);
    const unknown = await fetch(tocsin.observerUrl(`/v1/heartbeats/hb_${'A'.repeat(43)}`), { method: 'POST' });
    expect(unknown.status).toBe(404);
    const token = urls[0]?.split('/').at(-1) ?? '';
    expect(tocsin.output).not.toContain(token);
  });
});
