import { HEALTH_PROBE_SOURCE, MAINTENANCE_BUCKET } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Stage, startStage } from '../registry.harness.js';

const CHECK = { type: 'tcp', host: 'edge.example.net', port: 443 };
const WINDOW = { start: '2030-01-01T00:00:00Z', end: '2030-01-01T02:00:00Z', selector: { site: 'fra' } };

let registry: Stage;

beforeAll(async () => {
  registry = await startStage();
});

afterAll(() => registry?.close());

beforeEach(() => registry.recorder.mend());

const apply = (body: object) => registry.call('POST', '/v1/apply', body);
const target = (name: string, more: object = {}) => ({ name, kind: 'node', check: CHECK, ...more });
const subscription = (name: string) => ({
  name,
  types: ['io.tocsin.*.*'],
  destination: { kind: 'webhook', url: `https://${name}.example/h` },
});
const statusOf = async (path: string) => (await registry.call('GET', `/v1/${path}`)).status;
const typesSince = (position: number) =>
  registry.recorder.events.slice(position).map(({ type, subject }) => `${type} ${subject}`);
const inBucket = async (name: string) => (await (await registry.broker.kv(MAINTENANCE_BUCKET)).get(name))?.value;

describe('apply with maintenance windows', () => {
  it('declares them with the rest, brings them to the observers, and does nothing the second time', async () => {
    const body = { targets: [target('w-1')], maintenance: [{ name: 'w-night', ...WINDOW }] };
    const done = await apply(body);
    expect(done.body).toMatchObject({ created: ['maintenance/w-night', 'target/w-1'] });
    expect(await inBucket('w-night')).toEqual({ name: 'w-night', revision: 1, spec: WINDOW });
    expect((await registry.call('GET', '/v1/maintenance/w-night')).body).toMatchObject({ spec: WINDOW, revision: 1 });

    const before = registry.recorder.events.length;
    expect((await apply(body)).body).toMatchObject({ unchanged: ['maintenance/w-night', 'target/w-1'] });
    expect(registry.recorder.events).toHaveLength(before);

    const longer = { name: 'w-night', ...WINDOW, end: '2030-01-01T04:00:00Z' };
    const changed = await apply({ maintenance: [longer] });
    expect(changed.body).toMatchObject({ updated: ['maintenance/w-night'], revisions: { 'maintenance/w-night': 1 } });
    expect(await inBucket('w-night')).toMatchObject({ revision: 2, spec: { end: '2030-01-01T04:00:00Z' } });
  });

  it('names each fault of a window by its place', async () => {
    const answer = await apply({
      targets: [target('w-2')],
      maintenance: [
        { name: 'w-bad', start: WINDOW.start, ende: WINDOW.end },
        { name: 'w-odd', ...WINDOW, rrule: 'FREQ=SECONDLY', timeZone: 'Europe/Berlin', duration: '1h', end: undefined },
      ],
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/maintenance/0/end',
      '/maintenance/0/ende',
      '/maintenance/1/start',
      '/maintenance/1/rrule',
    ]);
    expect(await statusOf('targets/w-2')).toBe(404);
  });
});

describe('whose things are', () => {
  it('is kept from who declared them with an owner; another is refused, with the place, unless it takes over', async () => {
    await apply({ owner: 'team-a', targets: [target('o-1')], maintenance: [{ name: 'o-w', ...WINDOW }] });
    const before = registry.recorder.events.length;
    const body = {
      owner: 'team-b',
      targets: [target('o-2'), target('o-1')],
      maintenance: [{ name: 'o-w', ...WINDOW }],
    };
    const refused = await apply(body);
    expect([refused.status, refused.body.code]).toEqual([409, 'TCN_CONFLICT']);
    const detail = 'is looked after by "team-a", not by "team-b"';
    expect(refused.body.errors).toEqual([
      { pointer: '/maintenance/0/name', detail },
      { pointer: '/targets/1/name', detail },
    ]);
    expect(registry.recorder.events).toHaveLength(before);

    const taken = await apply({ ...body, takeOver: true });
    expect(taken.body).toMatchObject({
      created: ['target/o-2'],
      updated: ['maintenance/o-w', 'target/o-1'],
      takenOver: { 'maintenance/o-w': 'team-a', 'target/o-1': 'team-a' },
    });
    expect((await apply({ owner: 'team-a', targets: [target('o-1')] })).status).toBe(409);
    expect((await apply(body)).body.unchanged).toHaveLength(3);
  });

  it('is nobody’s after a PUT, and becomes his who declares it with an owner', async () => {
    await registry.call('PUT', '/v1/targets/o-3', { kind: 'node', check: CHECK });
    const adopted = await apply({ owner: 'team-c', targets: [target('o-3')] });
    expect(adopted.body).toMatchObject({ updated: ['target/o-3'], takenOver: { 'target/o-3': null } });
    // Without an owner it changes what it names, and whose it is stays.
    await apply({ targets: [target('o-3', { labels: { a: 'b' } })] });
    expect((await apply({ owner: 'team-d', targets: [target('o-3')] })).status).toBe(409);
  });

  it('is needed to prune and to take over', async () => {
    const answer = await apply({ targets: [target('o-4')], prune: true, takeOver: true });
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(['/prune', '/takeOver']);
  });
});

describe('pruning', () => {
  const own = {
    owner: 'pruner',
    targets: [target('p-1'), target('p-2')],
    subscriptions: [subscription('p-s')],
    maintenance: [{ name: 'p-w', ...WINDOW }],
  };

  it('deletes what is the owner’s and not declared any more, and nothing else', async () => {
    await apply(own);
    await apply({ owner: 'somebody-else', targets: [target('p-theirs')] });
    await registry.call('PUT', '/v1/targets/p-nobodys', { kind: 'node', check: CHECK });
    const before = registry.recorder.events.length;

    const less = { owner: 'pruner', targets: [target('p-1')], prune: true };
    const dry = await apply({ ...less, dryRun: true });
    expect(dry.body).toMatchObject({
      deleted: ['maintenance/p-w', 'target/p-2', 'subscription/p-s'],
      unchanged: ['target/p-1'],
    });
    expect(Object.keys(dry.body.revisions)).toEqual(dry.body.deleted);
    expect(registry.recorder.events).toHaveLength(before);

    const done = await apply({ ...less, expect: dry.body.revisions });
    expect(done.body.deleted).toEqual(dry.body.deleted);
    expect(typesSince(before)).toEqual([
      'io.tocsin.maintenance.removed maintenance/p-w',
      'io.tocsin.target.removed target/p-2',
      'io.tocsin.subscription.removed subscription/p-s',
    ]);
    expect(await inBucket('p-w')).toBeUndefined();
    for (const path of ['targets/p-1', 'targets/p-theirs', 'targets/p-nobodys']) expect(await statusOf(path)).toBe(200);
    for (const path of ['targets/p-2', 'subscriptions/p-s', 'maintenance/p-w']) expect(await statusOf(path)).toBe(404);

    expect((await apply(less)).body.deleted).toEqual([]);
    expect((await apply({ ...own, prune: false })).body.created).toHaveLength(3);
    expect((await apply({ owner: 'pruner', targets: [target('p-1')] })).body.deleted).toEqual([]);
    expect(await statusOf('targets/p-2')).toBe(200);
  });

  it('ends an outage that is open with the target, in the same append', async () => {
    await apply({ owner: 'ender', targets: [target('e-1')] });
    const data = {
      ...{ target: 'e-1', kind: 'node', labels: {}, from: 'up', to: 'down', reason: 'connection refused' },
      ...{ confidence: 'single', evidence: [], confirmedAt: '2030-01-01T00:00:00.000Z', detectionMs: 1 },
    };
    registry.recorder.append({
      events: [
        {
          ...{ id: 'evt_down', source: HEALTH_PROBE_SOURCE, type: 'io.tocsin.node.offline', subject: 'node/e-1' },
          ...{ time: '2030-01-01T00:00:00.000Z', extensions: { episode: 'ep_1' }, data },
        },
      ],
    });
    const before = registry.recorder.events.length;
    let appends = 0;
    registry.recorder.afterAppend = async () => void (appends += 1);
    expect((await apply({ owner: 'ender', prune: true })).body.deleted).toEqual(['target/e-1']);
    expect(typesSince(before)).toEqual(['io.tocsin.node.online node/e-1', 'io.tocsin.target.removed target/e-1']);
    expect(appends).toBe(1);
  });
});

describe('compare and set on what was planned', () => {
  it('refuses the whole where something it touches has changed, and says what', async () => {
    await apply({ owner: 'cas', targets: [target('c-1'), target('c-2')] });
    const body = {
      owner: 'cas',
      prune: true,
      targets: [target('c-1', { labels: { a: 'b' } }), target('c-3')],
    };
    const { revisions } = (await apply({ ...body, dryRun: true })).body;
    expect(revisions).toEqual({ 'target/c-1': expect.any(Number), 'target/c-2': expect.any(Number), 'target/c-3': 0 });

    await registry.call('PATCH', '/v1/targets/c-1', { labels: { by: 'somebody' } });
    await registry.call('DELETE', '/v1/targets/c-2');
    await registry.call('PUT', '/v1/targets/c-3', { kind: 'gateway', check: CHECK });
    const [one, three] = [
      (await registry.call('GET', '/v1/targets/c-1')).body.revision,
      (await registry.call('GET', '/v1/targets/c-3')).body.revision,
    ];
    const before = registry.recorder.events.length;
    const late = await apply({ ...body, expect: revisions });
    expect([late.status, late.body.code]).toEqual([412, 'TCN_PRECONDITION_FAILED']);
    expect(late.body.errors).toEqual([
      {
        pointer: '/expect/target~1c-1',
        detail: `target/c-1 is at revision ${one} now, and was at ${revisions['target/c-1']} when it was planned`,
      },
      {
        pointer: '/expect/target~1c-3',
        detail: `target/c-3 is at revision ${three} now, and was not there when it was planned`,
      },
      {
        pointer: '/expect/target~1c-2',
        detail: 'target/c-2 was to be deleted, and is not there or not this owner’s any more',
      },
    ]);
    expect(late.body.detail).toMatch(/^nothing was applied, .*target\/c-1.* \(and 2 more\); plan again$/);
    expect(registry.recorder.events).toHaveLength(before);
  });

  it('refuses a change that the plan did not have', async () => {
    const body = { owner: 'cas-2', targets: [target('d-1'), target('d-2')] };
    await apply(body);
    const { revisions } = (await apply({ ...body, dryRun: true })).body;
    expect(revisions).toEqual({});
    await registry.call('PATCH', '/v1/targets/d-2', { labels: { by: 'somebody' } });
    const late = await apply({ ...body, expect: revisions });
    expect(late.body.errors).toEqual([
      { pointer: '/expect/target~1d-2', detail: expect.stringMatching(/^target\/d-2 would be updated, which was not/) },
    ]);
  });

  it('holds also where the change comes between the look and the append', async () => {
    const body = { targets: [target('f-1', { labels: { a: 'b' } })] };
    await apply({ targets: [target('f-1')] });
    const { revisions } = (await apply({ ...body, dryRun: true })).body;
    let rival = false;
    registry.recorder.beforeAppend = async () => {
      if (rival) return;
      rival = true;
      await registry.call('PATCH', '/v1/targets/f-1', { labels: { by: 'rival' } });
    };
    expect((await apply({ ...body, expect: revisions })).body.code).toBe('TCN_PRECONDITION_FAILED');
    expect((await registry.call('GET', '/v1/targets/f-1')).body.labels).toEqual({ by: 'rival' });
  });
});

describe('all or nothing', () => {
  const fleet = (label: string) => ({
    targets: Array.from({ length: 1_500 }, (_, n) => target(`all-${n}`, { labels: { by: label } })),
  });
  const labels = async () => {
    const found = new Map<string, number>();
    for (let cursor = ''; ;) {
      const { body } = await registry.call('GET', `/v1/targets?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
      for (const { name, labels: { by } = { by: 'nobody' } } of body.items as {
        name: string;
        labels: { by: string };
      }[])
        if (name.startsWith('all-')) found.set(by, (found.get(by) ?? 0) + 1);
      if (body.next === null) return Object.fromEntries(found);
      cursor = body.next;
    }
  };

  it('is one append, however much it is; and nothing where that fails', async () => {
    registry.recorder.beforeAppend = async () => {
      throw new TocsinError('TCN_INTERNAL', 'the log is out of order');
    };
    expect((await apply(fleet('first'))).status).toBe(500);
    expect(await labels()).toEqual({});
    let appends = 0;
    registry.recorder.beforeAppend = async () => void (appends += 1);
    expect((await apply(fleet('first'))).body.created).toHaveLength(1_500);
    expect(appends).toBe(1);
  });

  it('leaves what one of two said that came at once, never some of each', async () => {
    const both = await Promise.all([apply(fleet('one')), apply(fleet('two'))]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect([{ one: 1_500 }, { two: 1_500 }]).toContainEqual(await labels());
  });

  it('lets one of two through that planned the same', async () => {
    const { revisions } = (await apply({ ...fleet('three'), dryRun: true })).body;
    const both = await Promise.all(['three', 'four'].map((label) => apply({ ...fleet(label), expect: revisions })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect([{ three: 1_500 }, { four: 1_500 }]).toContainEqual(await labels());
  });
});
