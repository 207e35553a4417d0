import { eventually } from '@tocsin/testing';
import { patienceMs } from '../harness/patience.js';
import type { Scenario } from '../harness/scenario.js';
import type { Watched, World } from '../harness/world.js';

const MANY = 1_000;
const CALM = { interval: '5s', fastInterval: '1s', timeout: '2s' };

async function thousand(world: World): Promise<Watched[]> {
  const nodes = await world.nodes(MANY);
  await world.subscriber('ops');
  await world.deploy({ topology: 'standalone', env: { TOCSIN_LOG_LEVEL: 'warn' } });
  return nodes;
}

const inSeconds = (fromMs: number): string => `${((performance.now() - fromMs) / 1_000).toFixed(1)} s`;

/** A thousand at once. */
export const MANY_NODES: readonly Scenario[] = [
  {
    name: '1000-down-at-once',
    what: '1,000 nodes go down in the same moment, and come back in the same moment',
    play: async (world) => {
      const nodes = await thousand(world);
      await world.start(CALM);
      await world.pause(0, 2_000);
      const downMs = performance.now();
      await Promise.all(nodes.map((node) => world.takeDown(node)));
      await world.told(undefined, 180_000);
      world.notes.push(`1,000 outages told ${inSeconds(downMs)} after they began`);
      const upMs = performance.now();
      await Promise.all(nodes.map((node) => world.bringBack(node)));
      await world.told(undefined, 180_000);
      world.notes.push(`1,000 recoveries told in ${inSeconds(upMs)}`);
    },
  },
  {
    name: 'cold-start-1000',
    what: 'the first start finds 1,000 targets, some of them down; then a kill -9 and a second start',
    play: async (world) => {
      const nodes = await thousand(world);
      const down = nodes.filter(() => world.random() < 0.01);
      const up = nodes.filter((node) => !down.includes(node));
      for (const node of down) await world.takeDown(node);
      const startMs = performance.now();
      await world.tocsin.start(world.declarations(CALM));
      world.verifySignatures();
      await eventually(async () => (await world.log('&type=io.tocsin.target.fresh')).length >= up.length, {
        what: 'all that are up were seen',
        timeoutMs: patienceMs(120_000),
        intervalMs: 250,
      });
      await world.told();
      world.notes.push(`all looked at and ${down.length} outages told ${inSeconds(startMs)} after the start`);
      await world.tocsin.kill9All(true);
      await world.tocsin.start();
      await world.pause(6_000, 8_000);
      for (const node of down) await world.bringBack(node);
    },
  },
  {
    name: 'one-site-down',
    what: 'all 20 nodes of a site go down while 20 of another stay up: the site is told, and the first of its nodes',
    play: async (world) => {
      const lost = await world.nodes(20, { site: 'fra' }, 'fra');
      await world.nodes(20, { site: 'ams' }, 'ams');
      const ops = await world.subscriber('ops', ['io.tocsin.group.*']);
      const nodes = await world.subscriber('nodes');
      await world.deploy({ topology: world.topology() });
      await world.start();
      await world.pause(0, 2_000);
      world.must('group/site=fra', 'io.tocsin.group.outage');
      await Promise.all(lost.map(({ node }) => node.down()));
      await world.told([ops]);
      await world.pause(6_000, 7_000);
      const told = () => new Set(nodes.arrivals.filter(({ accepted }) => accepted).map(({ subject }) => subject));
      world.ensure(
        told().size >= 1 && told().size < lost.length / 2,
        `${told().size} of ${lost.length} nodes were told singly`,
      );
      world.must('group/site=fra', 'io.tocsin.group.recovered');
      await Promise.all(lost.map(({ node }) => node.up()));
      await world.told([ops]);
      await world.pause(4_000, 5_000);
      // Whoever was told of its outage is told of its end; of the others there is nothing to tell.
      for (const subject of told()) nodes.must.push({ subject, says: 'offline' }, { subject, says: 'online' });
      world.notes.push(`${told().size} of ${lost.length} nodes were told singly`);
    },
  },
  {
    name: 'maintenance',
    what: 'a node goes down before maintenance and comes back during it; another goes down and comes back within it',
    play: async (world) => {
      const [node, quiet] = await world.nodes(2);
      await world.subscriber('ops');
      await world.deploy({ topology: world.topology() });
      await world.start();
      await world.pause(0, 1_000);
      await world.takeDown(node!);
      await world.told();
      const window = { start: new Date().toISOString(), end: new Date(Date.now() + 3_600_000).toISOString() };
      await world.tocsin.call('PUT', '/v1/maintenance/work', { ...window, selector: {} });
      // Maintenance reaches the observers within moments; there is nothing outside to wait for.
      await world.pause(2_000, 3_000);
      await quiet!.node.down();
      await world.recorded(quiet!, 'offline');
      await quiet!.node.up();
      await world.recorded(quiet!, 'online');
      await world.bringBack(node!);
      await world.recorded(node!, 'online');
      await world.pause(1_000, 2_000);
      await world.tocsin.call('DELETE', '/v1/maintenance/work');
    },
  },
];
