import { describe, expect, it } from 'vitest';
import type { RecordedEvent } from '@tocsin/domain';
import { recorded } from '../recorded.harness.js';
import { namesIn, readEvents, type Standing, WorkingSet } from './working-set.js';

const CHECK = {
  type: 'tcp',
  host: 'a.example',
  port: 1,
  interval: '10s',
  timeout: '2s',
  fastInterval: '1s',
  failures: 2,
  successes: 2,
};
const TARGET = { kind: 'node', labels: {}, check: CHECK };
const SUBSCRIPTION = {
  destination: { kind: 'webhook', url: 'https://a.example/…', headers: {} },
  types: ['*'],
  labels: {},
  order: 'subject',
};

function fold(
  events: RecordedEvent[],
  standing: { targets?: [string, Standing][]; subscriptions?: [string, Standing][]; keys?: [string, Standing][] } = {},
): WorkingSet {
  const rows = new WorkingSet({
    targets: new Map(standing.targets),
    subscriptions: new Map(standing.subscriptions),
    keys: new Map(standing.keys),
  });
  for (const read of readEvents(events)) rows.apply(read);
  return rows;
}

const target = (position: number, fact: string, data: object = {}) =>
  recorded(position, {
    type: `io.tocsin.target.${fact}`,
    subject: 'target/a',
    data: { name: 'a', actor: 'x', spec: TARGET, ...data },
  });
const subscription = (position: number, fact: string, data: object = {}) =>
  recorded(position, {
    type: `io.tocsin.subscription.${fact}`,
    subject: 'subscription/s',
    data: { name: 's', actor: 'x', spec: SUBSCRIPTION, sealedRef: `rev_${position}`, ...data },
  });
const health = (position: number, to: string, more: Partial<RecordedEvent> = {}) =>
  recorded(position, {
    type: 'io.tocsin.node.offline',
    subject: 'node/a',
    source: 'tocsin/health-probe',
    extensions: { episode: 'ep_1' },
    data: {
      target: 'a',
      kind: 'node',
      labels: {},
      from: 'up',
      to,
      reason: 'r',
      confidence: 'single',
      evidence: [],
      confirmedAt: '2030-01-01T00:00:00.000Z',
      detectionMs: 1,
    },
    ...more,
  });

describe('a batch of events, folded', () => {
  it('keeps when a target was created and moves its revision to the last change', () => {
    const rows = fold([target(1, 'registered'), target(2, 'updated', { spec: { ...TARGET, kind: 'gateway' } })]);
    expect(rows.targets.get('a')).toEqual({
      name: 'a',
      spec: { ...TARGET, kind: 'gateway' },
      owner: null,
      revision: 2,
      createdAt: '2030-01-01T00:00:01.000Z',
      updatedAt: '2030-01-01T00:00:02.000Z',
    });
    expect(rows.versions.get('target/a')).toBe(2);
  });

  it('goes on from the row that is there, and keeps its owner until another declares it', () => {
    const standing = (event: Parameters<typeof fold>[0][number]) =>
      fold([event], {
        targets: [['a', { createdAt: '2029-01-01T00:00:00.000Z', owner: 'first' }]],
      }).targets.get('a');
    expect(standing(target(9, 'updated'))).toMatchObject({
      ...{ createdAt: '2029-01-01T00:00:00.000Z', owner: 'first', revision: 9 },
    });
    expect(standing(target(9, 'updated', { owner: 'late' }))).toMatchObject({ owner: 'late' });
  });

  it('forgets the former life of a name that was removed', () => {
    const rows = fold([target(3, 'removed'), target(4, 'registered')], {
      targets: [['a', { createdAt: '2029-01-01T00:00:00.000Z', owner: 'first' }]],
    });
    expect(rows.targets.get('a')).toMatchObject({ createdAt: '2030-01-01T00:00:04.000Z', owner: null });
    expect(fold([target(3, 'removed')]).targets.get('a')).toBeNull();
  });

  it('erases the seal that a change superseded and the one that a removal left', () => {
    const standing: [string, Standing][] = [['s', { createdAt: 'x', owner: null, sealedRef: 'rev_0' }]];
    expect(fold([subscription(1, 'updated')], { subscriptions: standing }).erasedSeals).toEqual(['rev_0']);
    expect(fold([subscription(1, 'updated', { sealedRef: 'rev_0' })], { subscriptions: standing }).erasedSeals).toEqual(
      [],
    );
    expect(
      fold([subscription(1, 'created'), subscription(2, 'updated'), subscription(3, 'removed')]).erasedSeals,
    ).toEqual(['rev_1', 'rev_2']);
  });

  it('takes a verdict with its episode, and closes the episode with the recovery', () => {
    expect(fold([health(1, 'down')]).health.get('node/a')).toEqual({
      targetKind: 'node',
      name: 'a',
      state: 'down',
      since: '2030-01-01T00:00:01.000Z',
      episode: 'ep_1',
    });
    const recovered = fold([health(1, 'down'), health(2, 'up')]).health.get('node/a');
    expect(recovered).toMatchObject({ state: 'up', since: '2030-01-01T00:00:02.000Z' });
    expect(recovered).not.toHaveProperty('episode');
  });

  it('takes the first verdict of a target from the event that says it is fresh', () => {
    const fresh = recorded(1, {
      type: 'io.tocsin.target.fresh',
      subject: 'target/a',
      source: 'tocsin/health-probe',
      data: { name: 'a', kind: 'node', to: 'up' },
    });
    const rows = fold([fresh]);
    expect(rows.health.get('node/a')).toMatchObject({ state: 'up' });
    expect(rows.versions.get('target/a')).toBe(1);
  });

  it('begins a new life as pending, unless an outage is still open', () => {
    expect(fold([target(1, 'registered')]).health.get('node/a')).toMatchObject({ forget: 'if-up' });
    expect(fold([health(1, 'up'), target(2, 'registered')]).health.get('node/a')).toMatchObject({ forget: 'always' });
    expect(fold([health(1, 'down'), target(2, 'registered')]).health.get('node/a')).toMatchObject({ state: 'down' });
    expect(fold([target(1, 'registered'), health(2, 'up')]).health.get('node/a')).toMatchObject({ state: 'up' });
    expect(fold([target(1, 'updated')]).health.size).toBe(0);
  });

  it('believes nobody else', () => {
    const rows = fold([
      health(1, 'down', { source: 'urn:acme' }),
      health(2, 'down', { subject: 'node/b' }),
      recorded(3, { type: 'io.tocsin.observer.isolated', subject: 'observer/o', source: 'tocsin/health-probe' }),
      { ...target(4, 'registered'), source: 'urn:acme' },
    ]);
    expect(rows.health.size).toBe(0);
    expect(rows.targets.size).toBe(0);
  });

  it('knows which rows it needs, and stops at an own event it cannot read', () => {
    expect(namesIn(readEvents([target(1, 'registered'), subscription(2, 'removed'), health(3, 'up')]))).toEqual({
      targets: ['a'],
      subscriptions: ['s'],
      keys: [],
    });
    expect(() => readEvents([target(1, 'registered', { spec: { ...TARGET, orbit: 'low' } })])).toThrow(/orbit/);
  });

  it('forgets the hash of a key that was revoked, or that another took the place of', () => {
    const declared = (position: number, keyId: string) =>
      recorded(position, {
        type: 'io.tocsin.key.created',
        subject: 'key/ci',
        data: { name: 'ci', actor: 'x', spec: { role: 'viewer' }, keyId },
      });
    const removed = recorded(2, { type: 'io.tocsin.key.removed', subject: 'key/ci', data: { name: 'ci', actor: 'x' } });
    const rows = fold([declared(1, 'one'), removed, declared(3, 'two')]);
    expect(rows.erasedKeys).toEqual(['one']);
    expect(rows.keys.get('ci')).toMatchObject({ keyId: 'two', revision: 3, createdAt: '2030-01-01T00:00:03.000Z' });
    const standing: [string, Standing][] = [['ci', { createdAt: 'x', owner: null, keyId: 'one' }]];
    expect(fold([removed], { keys: standing }).erasedKeys).toEqual(['one']);
  });
});
