import type { Scenario } from '../harness/scenario.js';
import { Producer } from '../harness/producer.js';
import { SmallDisk } from '../harness/small-disk.js';
import type { World } from '../harness/world.js';

const READINGS = 'com.example.reading';

/** Two nodes, whoever is told of them, and a producer whose events somebody else gets. */
async function stage(world: World) {
  const nodes = await world.nodes(2);
  await world.subscriber('ops');
  const readings = await world.subscriber('readings', [READINGS]);
  return { first: nodes[0]!, second: nodes[1]!, readings, producer: new Producer(world, READINGS) };
}

/** The disk of one server fills up under load while a node is down, and has room again later. */
async function diskFull(world: World, server: 'postgres' | 'nats'): Promise<void> {
  const { first, second, producer } = await stage(world);
  const tocsin = await world.deploy({
    topology: 'standalone',
    env: { TOCSIN_RELAY_MAX_BYTES: String(16 * 1024 * 1024) },
  });
  const disk = await SmallDisk.mount(tocsin.folderOf(server), server === 'postgres' ? 256 : 64);
  world.onEnd(() => disk.unmount());
  await world.start();
  producer.start(20);
  await world.takeDown(first);
  await world.told([world.subscribers[0]!]);
  await world.pause(0, 2_000);
  await disk.fill();
  await first.node.up();
  world.must(first.subject, 'io.tocsin.node.online');
  await second.node.down();
  world.must(second.subject, 'io.tocsin.node.offline');
  await world.pause(8_000, 12_000);
  world.notes.push(`${producer.refused} of ${producer.attempts} appends were refused meanwhile`);
  await disk.release();
  await world.recorded(second, 'offline');
  await world.bringBack(second);
  await world.pause(1_000, 2_000);
  await producer.stop();
}

/** Postgres and NATS, which Tocsin stands on. */
export const SERVERS: readonly Scenario[] = [
  {
    name: 'broker-wiped',
    what: 'kill -9 of NATS under load, its store deleted, twice',
    play: async (world) => {
      const { first, second, producer } = await stage(world);
      const { servers } = await world.deploy({ topology: 'distributed', replicas: 1 });
      await world.start();
      producer.start(50);
      for (const [round, node] of [first, second].entries()) {
        await world.takeDown(node);
        if (round === 0) await world.recorded(node, 'offline');
        await world.pause(500, 2_000);
        await servers.stopNats('kill -9');
        await servers.wipeJetStream();
        if (round === 0) await world.bringBack(node);
        await world.pause(500, 4_000);
        await servers.startNats();
        await world.recorded(node, round === 0 ? 'online' : 'offline');
      }
      await world.bringBack(second);
      await world.pause(1_000, 2_000);
      await producer.stop();
    },
  },
  {
    name: 'postgres-restarted',
    what: 'Postgres goes away under load, is away for seconds while nodes change, and comes back',
    play: async (world) => {
      const { first, second, producer } = await stage(world);
      const { servers } = await world.deploy({ topology: 'distributed', replicas: 1 });
      await world.start();
      producer.start(50);
      await world.takeDown(first);
      await world.told([world.subscribers[0]!]);
      await world.pause(0, 2_000);
      const how = world.pick(['stop', 'kill -9'] as const);
      world.notes.push(how === 'stop' ? 'restarted in good order' : 'killed');
      await servers.stopPostgres(how);
      await world.bringBack(first);
      await world.takeDown(second);
      await world.pause(2_000, 8_000);
      await servers.startPostgres();
      await world.recorded(second, 'offline');
      await world.bringBack(second);
      await world.pause(1_000, 2_000);
      await producer.stop();
    },
  },
  {
    name: 'disk-full-postgres',
    what: "Postgres' disk is full for seconds under load, while one node recovers and another goes down",
    play: (world) => diskFull(world, 'postgres'),
    toldWithinMs: 180_000,
  },
  {
    name: 'disk-full-nats',
    what: "NATS' disk is full for seconds under load, while one node recovers and another goes down",
    play: (world) => diskFull(world, 'nats'),
    toldWithinMs: 180_000,
  },
];
