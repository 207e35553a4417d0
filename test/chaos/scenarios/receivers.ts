import type { Behaviour } from '../harness/subscriber.js';
import type { Scenario } from '../harness/scenario.js';
import { patienceMs } from '../harness/patience.js';
import type { World } from '../harness/world.js';

/** A healthy subscriber must not notice what another does: its news within this, milliseconds, on a quiet machine. */
const UNHARMED_MS = 5_000;

/** One node, a subscriber that will misbehave, and one that does not. */
async function stage(world: World) {
  const [node] = await world.nodes(1);
  const sick = await world.subscriber('sick');
  const healthy = await world.subscriber('healthy');
  await world.deploy({ topology: world.topology() });
  await world.start();
  await world.pause(0, 1_000);
  return { node: node!, sick, healthy };
}

/** Waits until the healthy one was told, from when the log had it; takes too long if somebody else is in its way. */
async function unharmed(world: World, healthy: Awaited<ReturnType<typeof stage>>['healthy']): Promise<void> {
  const sinceMs = performance.now();
  await world.told([healthy]);
  const tookMs = performance.now() - sinceMs;
  world.ensure(tookMs < patienceMs(UNHARMED_MS), `the healthy subscriber was told only after ${Math.round(tookMs)} ms`);
}

/** Refuses the first attempts at events that say this. */
function refusing(says: string, times: number, status: () => number): Behaviour {
  return (arrival, nth) => ({ status: arrival.says === says && nth <= times ? status() : 204 });
}

/** An outage during all of which the sick one answers like this; it is well again some time after the end. */
async function outageWhile(world: World, behaviour: Behaviour, untilMs: [number, number]): Promise<void> {
  const { node, sick, healthy } = await stage(world);
  sick.behaves(behaviour);
  await world.takeDown(node);
  await world.recorded(node, 'offline');
  await unharmed(world, healthy);
  await world.pause(500, 2_000);
  await world.bringBack(node);
  await world.recorded(node, 'online');
  await unharmed(world, healthy);
  await world.pause(...untilMs);
  world.ensure(sick.taken === 0, 'the sick subscriber took something while it refused everything');
  sick.behaves();
}

const SERVER_ERRORS = [500, 502, 503, 504];

/** Receivers that misbehave. */
export const RECEIVERS: readonly Scenario[] = [
  {
    name: 'all-healthy',
    what: 'three nodes go down and come back, twice, nobody misbehaves',
    play: async (world) => {
      const nodes = await world.nodes(3);
      await world.subscriber('ops');
      await world.subscriber('ends-only', ['io.tocsin.*.online']);
      await world.deploy({ topology: world.topology() });
      await world.start();
      for (const round of [1, 2]) {
        for (const node of nodes) {
          await world.pause(0, 1_000);
          await world.takeDown(node);
        }
        for (const node of nodes) {
          await world.recorded(node, 'offline', round);
          await world.bringBack(node);
        }
        for (const node of nodes) await world.recorded(node, 'online', round);
      }
    },
  },
  {
    name: '5xx-at-down',
    what: 'a receiver answers 5xx to the first attempts at the outage',
    play: async (world) => {
      const { node, sick, healthy } = await stage(world);
      sick.behaves(refusing('offline', 2, () => world.pick(SERVER_ERRORS)));
      await world.takeDown(node);
      await world.recorded(node, 'offline');
      await unharmed(world, healthy);
      await world.pause(0, 2_000);
      await world.bringBack(node);
    },
  },
  {
    name: '5xx-at-up',
    what: 'a receiver answers 5xx to the first attempts at the recovery',
    play: async (world) => {
      const { node, sick, healthy } = await stage(world);
      sick.behaves(refusing('online', 2, () => world.pick(SERVER_ERRORS)));
      await world.takeDown(node);
      await world.told();
      await world.pause(0, 2_000);
      await world.bringBack(node);
      await world.recorded(node, 'online');
      await unharmed(world, healthy);
    },
  },
  {
    name: '503-whole-outage',
    what: 'a receiver answers 503 from before the outage until after its end',
    play: (world) => outageWhile(world, () => ({ status: 503 }), [1_000, 6_000]),
  },
  {
    name: '404-then-repaired',
    what: 'a receiver answers 404 from before the outage until after its end, then its route is repaired',
    play: (world) => outageWhile(world, () => ({ status: 404 }), [1_000, 4_000]),
  },
  {
    name: '429-retry-after',
    what: 'a receiver answers 429 with Retry-After; nothing more comes before that, not of another node either',
    play: async (world) => {
      const other = (await world.nodes(1))[0]!;
      const { node, sick, healthy } = await stage(world);
      const seconds = world.pick([4, 5, 6]);
      const header = world.pick(['seconds', 'date']);
      let openMs = 0;
      sick.behaves((arrival) => {
        if (openMs > 0) return { status: 204 };
        // A date has whole seconds: counted from the next one it is never earlier than meant.
        const date = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + seconds * 1_000).toUTCString();
        openMs = arrival.beganMs + seconds * 1_000;
        return { status: 429, headers: { 'retry-after': header === 'date' ? date : String(seconds) } };
      });
      await world.takeDown(node);
      await world.recorded(node, 'offline');
      await world.takeDown(other);
      await world.recorded(other, 'offline');
      await unharmed(world, healthy);
      await world.told();
      const early = sick.arrivals.slice(1).filter(({ beganMs }) => beganMs < openMs);
      world.ensure(early.length === 0, `${early.length} requests came before Retry-After (${header}) was over`);
      world.notes.push(`Retry-After as ${header}`);
      await world.bringBack(node);
      await world.bringBack(other);
    },
  },
  {
    name: 'receiver-hangs',
    what: 'a receiver takes connections and never answers, until it is restarted',
    play: async (world) => {
      const { node, sick, healthy } = await stage(world);
      const hang = world.pick(['before-head', 'silent-then-reset'] as const);
      sick.behaves((_arrival, nth) => {
        if (nth > 1) return { status: 204 };
        return hang === 'before-head' ? { hang } : { delayMs: 3_000, reset: 'before-head' };
      });
      await world.takeDown(node);
      await world.recorded(node, 'offline');
      await unharmed(world, healthy);
      await world.pause(0, 2_000);
      await world.bringBack(node);
      await world.recorded(node, 'online');
      await unharmed(world, healthy);
    },
  },
];
