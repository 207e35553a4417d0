import { eventually } from '@tocsin/testing';
import { patienceMs } from '../harness/patience.js';
import type { Scenario } from '../harness/scenario.js';
import type { World } from '../harness/world.js';

/** One node that is down and of which everybody has been told. */
async function toldOfOutage(world: World) {
  const [node] = await world.nodes(1);
  const subscriber = await world.subscriber('ops');
  await world.deploy({ topology: world.topology() });
  await world.start();
  await world.pause(0, 1_000);
  await world.takeDown(node!);
  await world.told();
  return { node: node!, subscriber };
}

/** kill -9 of Tocsin, by the dice together with its servers or without them. */
async function kill(world: World): Promise<void> {
  const servers = world.pick([true, false]);
  world.notes.push(servers ? 'its servers were killed with it' : 'its servers were not killed');
  await world.tocsin.kill9All(servers);
}

/** Everything at once, and what it must survive. */
export const KILLS: readonly Scenario[] = [
  {
    name: 'kill-then-recovery',
    what: 'kill -9 after the outage was delivered; the node recovers while Tocsin is dead',
    play: async (world) => {
      const { node } = await toldOfOutage(world);
      await world.pause(0, 1_500);
      await kill(world);
      await world.bringBack(node);
      await world.pause(0, 2_000);
      await world.tocsin.start();
    },
  },
  {
    name: 'kill-still-down',
    what: 'the same, but the node is still down: nothing is told again, and its end later is',
    play: async (world) => {
      const { node, subscriber } = await toldOfOutage(world);
      await world.pause(0, 1_500);
      await kill(world);
      await world.pause(0, 2_000);
      await world.tocsin.start();
      await world.pause(4_000, 6_000);
      world.ensure(subscriber.taken === 1, 'something was told although nothing had changed');
      await world.bringBack(node);
    },
  },
  {
    name: 'kill-in-flight',
    what: 'kill -9 while the receiver has the request of the outage and has not answered',
    play: async (world) => {
      const [node] = await world.nodes(1);
      const slow = await world.subscriber('slow');
      await world.subscriber('quick');
      await world.deploy({ topology: world.topology() });
      await world.start();
      slow.behaves(() => ({ status: 204, delayMs: 3_000 }));
      await world.takeDown(node!);
      await eventually(() => slow.receiver.inFlight > 0, {
        what: 'the request of the outage is in flight',
        timeoutMs: patienceMs(60_000),
      });
      await world.pause(0, 2_000);
      await kill(world);
      slow.behaves();
      await world.tocsin.start();
      await world.told();
      await world.bringBack(node!);
    },
  },
];
