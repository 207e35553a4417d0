import { fileURLToPath } from 'node:url';
import { HEALTH_PROBE_SOURCE, readReplySchema, RPC } from '@tocsin/contracts';
import { freePort } from '@tocsin/embedded';
import { eventually, ProcessGroup, testDatabase, type FakeNode, type TestProcess } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObserverWorld } from './observer.harness.js';

// The real recorder on a real Postgres, as the process it is; the other specs have one in memory that can be told to misbehave.
const MAIN = fileURLToPath(new URL('../../event-recorder/src/main.ts', import.meta.url));

let world: ObserverWorld;
let processes: ProcessGroup;
let databaseUrl: string;

beforeEach(async () => {
  processes = new ProcessGroup();
  world = await ObserverWorld.start(false);
  databaseUrl = (await testDatabase()).url;
});
afterEach(async () => {
  await world.close();
  await processes.kill9();
});

async function startRecorder(): Promise<TestProcess> {
  const port = await freePort();
  return processes.spawn(
    'event-recorder',
    process.execPath,
    ['--conditions=@tocsin/source', '--import', '@oxc-node/core/register', MAIN],
    {
      env: {
        TOCSIN_HTTP_PORT: String(port),
        TOCSIN_GRPC_PORT: '0',
        TOCSIN_POSTGRES_URL: databaseUrl,
        TOCSIN_NATS_URL: world.natsUrl,
        TOCSIN_API_KEY: 'x'.repeat(32),
      },
      ready: { url: `http://127.0.0.1:${port}/readyz` },
    },
  );
}

async function facts(name: string): Promise<string[]> {
  const page = await world.broker.request(RPC.logRead, { after: 0, limit: 1_000 }, { schema: readReplySchema });
  return page.events
    .filter((event) => event['source'] === HEALTH_PROBE_SOURCE && String(event['subject']).endsWith(`/${name}`))
    .map((event) => `${String(event['type'])} ${String(event['episode'])}`);
}

/** Waits for so many events about the target, and for what would come too many. */
async function settled(name: string, count: number): Promise<string[]> {
  await eventually(async () => (await facts(name)).length >= count, { what: `${count} events`, timeoutMs: 30_000 });
  await world.settle();
  return facts(name);
}

describe('an observer and the real recorder', () => {
  it('bring every change into the log once, over kill -9 of the recorder and a restart of the observer', async () => {
    let recorder = await startRecorder();
    const node: FakeNode = await world.node();
    const name = await world.declare(node);
    const first = await world.observe();
    expect(await settled(name, 1)).toEqual(['io.tocsin.target.fresh undefined']);

    await recorder.kill9();
    await node.down();
    await world.settle();
    recorder = await startRecorder();
    const [, offline, ...more] = await settled(name, 2);
    expect(offline).toMatch(/^io\.tocsin\.node\.offline ep_/);
    expect(more).toEqual([]);

    await world.end(first);
    await world.observe();
    await world.settle();
    await node.up();
    expect(await settled(name, 3)).toEqual([
      'io.tocsin.target.fresh undefined',
      offline,
      offline?.replace('offline', 'online'),
    ]);
    expect(recorder.running).toBe(true);
  });
});
