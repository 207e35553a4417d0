import { MAINTENANCE_BUCKET, type MaintenanceSpec } from '@tocsin/contracts';
import { isWithheld, type RecordedEvent } from '@tocsin/domain';
import { eventually, type FakeNode } from '@tocsin/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObserverWorld } from './observer.harness.js';

let world: ObserverWorld;

beforeEach(async () => {
  world = await ObserverWorld.start();
});
afterEach(() => world.close());

const shortFact = ({ type }: RecordedEvent) => type.replace(/^io\.tocsin\.(?:node\.)?/, '');
/** What subscribers are told, without the first verdicts. */
const told = (...names: string[]) =>
  world.recorder.events
    .filter(
      (event) =>
        !isWithheld(event) &&
        !event.type.includes('maintenance') &&
        names.some((name) => event.subject === `node/${name}`),
    )
    .map((event) => `${shortFact(event)} ${event.subject.replace('node/', '')}`);
/** What is said of a target's state, told or not; that maintenance begins and ends is apart. */
const states = (name: string) => world.recorder.about(name).filter(({ type }) => !type.includes('.maintenance-'));
const withheld = (name: string) =>
  world.recorder
    .about(name)
    .filter(isWithheld)
    .map((event) => `${shortFact(event)} ${String(event.extensions['withheld'])}`);
const is = (what: () => unknown, value: unknown, timeoutMs = 25_000) =>
  eventually(() => JSON.stringify(what()) === JSON.stringify(value), { what: JSON.stringify(value), timeoutMs }).catch(
    (error: unknown) => {
      throw new Error(`is instead ${JSON.stringify(what())}`, { cause: error });
    },
  );

async function fleet(size: number, more: (index: number) => object = () => ({}), check = {}) {
  const nodes: FakeNode[] = [];
  const names: string[] = [];
  for (let index = 0; index < size; index += 1) {
    const node = await world.node();
    nodes.push(node);
    names.push(await world.declare(node, undefined, check, more(index)));
  }
  await Promise.all(names.map((name) => world.facts(name, ['target.fresh'])));
  return { nodes, names };
}

async function window(name: string, forMs: number, selector: Record<string, string> = {}): Promise<number> {
  const bucket = await world.broker.kv(MAINTENANCE_BUCKET);
  const start = new Date(Date.now() - 1_000).toISOString();
  const endMs = Date.now() + forMs;
  const spec: MaintenanceSpec = { start, end: new Date(endMs).toISOString(), selector };
  await bucket.put(name, { name, revision: endMs, spec });
  return endMs;
}

/** Until it has been told of a target that maintenance has begun, its observer may not have heard of it. */
const inMaintenance = (name: string) =>
  eventually(() => world.recorder.about(name).some(({ type }) => type.endsWith('.maintenance-started')), {
    what: name,
  });

describe('maintenance', () => {
  it('keeps an outage back and tells it once at its end, over a restart of the observer', async () => {
    const observer = await world.observe();
    const { nodes, names } = await fleet(2);
    const [node, other] = nodes as [FakeNode, FakeNode];
    const [name, passing] = names as [string, string];
    const endMs = await window('deploy', 9_000, { role: 'edge' });
    await Promise.all(names.map(inMaintenance));
    await Promise.all([node.down(), other.down()]);
    await Promise.all(names.map((each) => is(() => withheld(each), ['offline maintenance'])));
    await other.up();
    await is(() => withheld(passing), ['offline maintenance', 'online maintenance']);
    await world.end(observer);
    await world.observe();
    expect(told(...names)).toEqual([]);
    await is(() => told(...names), [`offline ${name}`]);
    expect(Date.now()).toBeGreaterThanOrEqual(endMs);
    await world.settle();
    expect(told(...names)).toEqual([`offline ${name}`]);
    const [, first, reconciled] = states(name);
    expect(reconciled).toMatchObject({
      extensions: { reconciles: 'maintenance', episode: first?.extensions['episode'] },
      data: { from: 'up', to: 'down' },
    });
    expect(reconciled?.time).toBe(first?.time);
    await node.up();
    await is(() => told(...names), [`offline ${name}`, `online ${name}`]);
  });

  it('tells at its end that an outage told before is over, in the same episode', async () => {
    await world.observe();
    const { nodes, names } = await fleet(1);
    const [name = ''] = names;
    await nodes[0]?.down();
    await is(() => told(name), [`offline ${name}`]);
    await window('deploy', 5_000);
    await inMaintenance(name);
    await nodes[0]?.up();
    await is(() => withheld(name), ['online maintenance']);
    await is(() => told(name), [`offline ${name}`, `online ${name}`]);
    const [, offline, , online] = states(name);
    expect(online?.extensions['episode']).toBe(offline?.extensions['episode']);
  });
});

describe('the beginning and the end of maintenance', () => {
  const marks = (name: string) => world.recorder.about(name).filter(({ type }) => type.includes('.maintenance-'));

  it('are told once of each target in the window, over a restart of the observer and a hand-over', async () => {
    const observer = await world.observe();
    const { names } = await fleet(3, (index) => ({ labels: { role: index < 2 ? 'edge' : 'core' } }));
    const [first = '', second = '', outside = ''] = names;
    const endMs = await window('deploy', 6_000, { role: 'edge' });
    for (const name of [first, second]) await is(() => marks(name).map(shortFact), ['maintenance-started']);
    expect(marks(first)[0]).toMatchObject({
      data: { target: first, kind: 'node', state: 'up', window: 'deploy', endsAt: new Date(endMs).toISOString() },
    });
    await world.end(observer);
    await world.observe('ams-1');
    for (const name of [first, second]) {
      await is(() => marks(name).map(shortFact), ['maintenance-started', 'maintenance-ended']);
      const [started, ended] = marks(name);
      expect(Date.parse(ended?.time ?? '')).toBeGreaterThanOrEqual(endMs);
      expect(ended?.extensions['episode']).toBe(started?.extensions['episode']);
      expect(ended?.data).toMatchObject({ window: 'deploy' });
    }
    expect(marks(outside)).toEqual([]);
  });

  it('is told late where nobody watched when it came', async () => {
    const observer = await world.observe();
    const { names } = await fleet(1);
    const [name = ''] = names;
    await window('deploy', 3_000);
    await is(() => marks(name).map(shortFact), ['maintenance-started']);
    await world.end(observer);
    await world.settle(3_000);
    await world.observe();
    await is(() => marks(name).map(shortFact), ['maintenance-started', 'maintenance-ended']);
  });
});

describe('a dead parent', () => {
  it('hides its children, also those that come back with it; a child that stays dead is told', async () => {
    await Promise.all(['a-1', 'a-2'].map((id) => world.observe(id)));
    const gateway = await world.node();
    await world.declare(gateway, 'gw-1');
    await world.facts('gw-1', ['target.fresh']);
    const { nodes, names } = await fleet(3, () => ({ parent: 'gw-1' }), { failures: 4 });
    const [dead = ''] = names;
    await Promise.all([gateway.down(), ...nodes.map((node) => node.down())]);
    await Promise.all(names.map((name) => is(() => withheld(name), ['offline unreachable'])));
    await is(() => told('gw-1', ...names), ['offline gw-1']);
    await world.settle();
    await Promise.all([gateway.up(), ...nodes.slice(1).map((node) => node.up())]);
    await is(() => told('gw-1'), ['offline gw-1', 'online gw-1']);
    await is(() => told(dead), [`offline ${dead}`]);
    for (const name of names.slice(1)) await is(() => withheld(name), ['offline unreachable', 'online unreachable']);
    await world.settle();
    expect(told(...names)).toEqual([`offline ${dead}`]);
  });
});

describe('a storm', () => {
  it('is told as one outage of the group and the first member, whoever watches the others, and ends as one', async () => {
    await Promise.all(['fra-1', 'fra-2', 'fra-3'].map((id) => world.observe(id)));
    const { nodes, names } = await fleet(12, () => ({ labels: { site: 'fra' } }));
    const groups = () => world.recorder.events.filter((event) => event.subject === 'group/site=fra');
    await Promise.all(nodes.map((node) => node.down()));
    await is(() => groups().map(shortFact), ['group.outage']);
    await Promise.all(names.map((name) => eventually(() => world.recorder.about(name).length >= 2, { what: name })));
    const [outage] = groups();
    // Those that are confirmed only after it was decided are not named, and are told no more than the others.
    expect((outage as RecordedEvent & { data: { members: string[] } }).data.members.length).toBeGreaterThan(0.55 * 12);
    expect(told(...names)).toHaveLength(1);
    const kept = names.filter((name) => withheld(name).length > 0);
    expect(kept).toHaveLength(11);
    for (const name of kept) {
      expect(world.recorder.about(name)[1]?.extensions).toMatchObject({ withheld: 'storm', causedby: outage?.id });
    }
    await Promise.all(nodes.map((node) => node.up()));
    await is(() => groups().map(shortFact), ['group.outage', 'group.recovered']);
    await is(() => told(...names).length, 2);
    await world.settle();
    expect(told(...names).map((line) => line.split(' ')[0])).toEqual(['offline', 'online']);
    expect(groups()[1]?.extensions['episode']).toBe(outage?.extensions['episode']);
  });

  it('is none where less than 55 % fail: each is told, the first at once', async () => {
    await Promise.all(['fra-1', 'fra-2'].map((id) => world.observe(id)));
    const { nodes, names } = await fleet(6, () => ({ labels: { site: 'fra' } }));
    const failing = nodes.slice(0, 3);
    await Promise.all(failing.map((node) => node.down()));
    await is(() => told(...names).length, 1);
    await is(() => told(...names).length, 3);
    await Promise.all(failing.map((node) => node.up()));
    await is(() => told(...names).length, 6);
    expect(world.recorder.events.filter((event) => event.type.includes('group'))).toEqual([]);
  });
});

describe('a flapping target', () => {
  it('is told to have begun once and to have ended once, over a restart of the observer', async () => {
    const env = { TOCSIN_FLAPPING_HALF_LIFE: '12s' };
    const observer = await world.observe('fra-1', env);
    const { nodes, names } = await fleet(1);
    const [node] = nodes as [FakeNode];
    const [name = ''] = names;
    const changes = () => world.recorder.about(name).filter(({ data }) => Object.hasOwn(data as object, 'to')).length;
    for (let changed = 2; changed <= 11; changed += 1) {
      await (changed % 2 === 0 ? node.down() : node.up());
      await eventually(() => changes() >= changed, { what: `change ${changed}`, timeoutMs: 20_000 });
    }
    const flapping = () =>
      world.recorder
        .about(name)
        .filter(({ type }) => type.includes('flapping'))
        .map(shortFact);
    await is(flapping, ['flapping-started']);
    const before = told(name).length;
    expect(withheld(name).length).toBeGreaterThan(1);
    await world.end(observer);
    await world.observe('fra-1', env);
    await is(flapping, ['flapping-started', 'flapping-stopped'], 60_000);
    await world.settle();
    expect(told(name)).toHaveLength(before + 1);
    expect(flapping()).toEqual(['flapping-started', 'flapping-stopped']);
    const stopped = world.recorder.about(name).find(({ type }) => type.endsWith('flapping-stopped'));
    expect(stopped?.data).toMatchObject({ target: name, state: 'up' });
  });
});
