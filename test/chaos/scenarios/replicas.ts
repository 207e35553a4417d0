import { TcpProxy } from '@tocsin/testing';
import { SERVICES } from '../harness/deployment.js';
import type { Scenario } from '../harness/scenario.js';

/** Two of everything. */
export const REPLICAS: readonly Scenario[] = [
  {
    name: 'replica-killed',
    what: 'two replicas of everything; kill -9 of one while outages are being told, its return later',
    play: async (world) => {
      const nodes = await world.nodes(8);
      await world.subscriber('ops');
      const slow = await world.subscriber('slow');
      const tocsin = await world.deploy({ topology: 'distributed', replicas: 2 });
      await world.start();
      slow.behaves(() => ({ status: 204, delayMs: 300 }));
      await world.pause(0, 2_000);
      for (const node of nodes) await world.takeDown(node);
      await world.pause(500, 4_000);
      const victim = world.pick(tocsin.replicas);
      await Promise.all(SERVICES.map((service) => tocsin.kill9(service, victim)));
      for (const node of nodes) await world.recorded(node, 'offline');
      for (const node of nodes) await world.bringBack(node);
      await world.pause(0, 4_000);
      for (const service of SERVICES) await tocsin.startService(service, victim);
    },
  },
  {
    name: 'nats-cut',
    what: 'two replicas of everything; the network to NATS is cut for one of them, then for both, and restored',
    play: async (world) => {
      const nodes = await world.nodes(4);
      await world.subscriber('ops');
      const lines = new Map<number, TcpProxy>();
      await world.deploy({
        topology: 'distributed',
        replicas: 2,
        natsFor: async (url, replica) => {
          const line = lines.get(replica) ?? (await TcpProxy.start({ targetPort: Number(new URL(url).port) }));
          lines.set(replica, line);
          return line.through(url);
        },
      });
      world.onEnd(async () => {
        await Promise.all([...lines.values()].map((line) => line.close()));
      });
      await world.start();
      const how = world.pick(['packets dropped', 'connections refused'] as const);
      world.notes.push(how);
      const cut = async (replicas: readonly number[]): Promise<void> => {
        for (const replica of replicas) {
          const line = lines.get(replica);
          if (how === 'packets dropped') line?.stall();
          else await line?.refuse();
        }
      };
      const restore = () => Promise.all([...lines.values()].map((line) => line.restore()));
      const [first, second, ...others] = nodes;

      await cut([world.pick([1, 2])]);
      await world.pause(0, 2_000);
      await world.takeDown(first!);
      await world.recorded(first!, 'offline');
      await world.pause(0, 3_000);
      await restore();
      await world.told();

      await cut([1, 2]);
      await world.pause(0, 1_000);
      // What happens while nobody can say so is said when the line is back.
      await world.takeDown(second!);
      await world.bringBack(first!);
      await world.pause(5_000, 9_000);
      await restore();
      await world.recorded(second!, 'offline');
      await world.recorded(first!, 'online');
      await world.bringBack(second!);
      for (const node of others) await world.takeDown(node);
      for (const node of others) await world.recorded(node, 'offline');
      for (const node of others) await world.bringBack(node);
    },
  },
];
