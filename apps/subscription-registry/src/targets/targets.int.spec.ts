import type { RecordedEvent } from '@tocsin/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stage, startStage } from '../registry.harness.js';

const CHECK = { type: 'http', url: 'https://edge.example.net/healthz' };

let registry: Stage;

beforeAll(async () => {
  registry = await startStage();
});

afterAll(() => registry?.close());

function eventsOf(subject: string): RecordedEvent[] {
  return registry.recorder.events.filter((event) => event.subject === subject);
}

describe('the life of a target', () => {
  it('is created, read, replaced, left unchanged, patched, removed and declared again', async () => {
    const path = '/v1/targets/edge-fra-17';
    const created = await registry.call('PUT', path, { kind: 'node', labels: { site: 'fra' }, check: CHECK });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(path);
    expect(created.body).toMatchObject({
      name: 'edge-fra-17',
      kind: 'node',
      state: 'pending',
      labels: { site: 'fra' },
    });
    expect(created.body.check).toMatchObject({ interval: '10s', failures: 2 });
    expect(created.headers.get('etag')).toBe(`"${created.body.revision}"`);

    const read = await registry.call('GET', path);
    expect(read.body).toEqual(created.body);
    expect(read.headers.get('etag')).toBe(created.headers.get('etag'));

    const again = await registry.call('PUT', path, { kind: 'node', labels: { site: 'fra' }, check: CHECK });
    expect(again.status).toBe(200);
    expect(again.body.revision).toBe(created.body.revision);
    expect(eventsOf('target/edge-fra-17')).toHaveLength(1);

    const replaced = await registry.call('PUT', path, {
      name: 'edge-fra-17',
      kind: 'node',
      check: { ...CHECK, interval: '30s' },
    });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ labels: {}, check: { interval: '30s' }, createdAt: created.body.createdAt });
    expect(replaced.body.revision).toBeGreaterThan(created.body.revision);

    const patched = await registry.call(
      'PATCH',
      path,
      { labels: { role: 'edge' }, check: { interval: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ labels: { role: 'edge' }, check: { interval: '10s', url: CHECK.url } });

    expect((await registry.call('DELETE', path)).status).toBe(204);
    expect((await registry.call('GET', path)).status).toBe(404);
    expect((await registry.call('DELETE', path)).body).toMatchObject({ code: 'TCN_NOT_FOUND', status: 404 });

    expect((await registry.call('PUT', path, { kind: 'node', check: CHECK })).status).toBe(201);
    expect(eventsOf('target/edge-fra-17').map(({ type, version }) => [type, version])).toEqual([
      ['io.tocsin.target.registered', 1],
      ['io.tocsin.target.updated', 2],
      ['io.tocsin.target.updated', 3],
      ['io.tocsin.target.removed', 4],
      ['io.tocsin.target.registered', 5],
    ]);
    expect(eventsOf('target/edge-fra-17')[0]).toMatchObject({
      source: 'tocsin/subscription-registry',
      data: { name: 'edge-fra-17', actor: 'bootstrap', spec: { kind: 'node', labels: { site: 'fra' } } },
    });
  });

  it('shows what the observers said last', async () => {
    await registry.call('PUT', '/v1/targets/gw-1', { kind: 'gateway', check: CHECK });
    registry.recorder.append({
      events: [
        {
          id: 'evt_down',
          source: 'tocsin/health-probe',
          type: 'io.tocsin.gateway.offline',
          subject: 'gateway/gw-1',
          time: '2030-01-01T00:00:00.000Z',
          extensions: { episode: 'ep_1' },
          data: {
            target: 'gw-1',
            kind: 'gateway',
            labels: {},
            from: 'up',
            to: 'down',
            reason: 'no answer',
            confidence: 'single',
            evidence: [],
            confirmedAt: '2030-01-01T00:00:02.000Z',
            detectionMs: 2000,
          },
        },
        {
          id: 'evt_fresh',
          source: 'tocsin/health-probe',
          type: 'io.tocsin.target.fresh',
          subject: 'target/gw-1',
          time: '2029-01-01T00:00:00.000Z',
          data: { name: 'other', kind: 'gateway', to: 'up' },
        },
      ],
    });
    // The fresh event moved the subject on; the next write of the registry notices and goes on from there.
    const patched = await registry.call('PATCH', '/v1/targets/gw-1', { labels: { a: 'b' } });
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({ state: 'down', stateSince: '2030-01-01T00:00:00.000Z', episode: 'ep_1' });
  });
});

describe('a target that is removed and declared again', () => {
  const verdict = (name: string, to: string, id: string) =>
    registry.recorder.append({
      events: [
        {
          id,
          source: 'tocsin/health-probe',
          type: to === 'up' ? 'io.tocsin.node.online' : 'io.tocsin.node.offline',
          subject: `node/${name}`,
          time: '2030-01-01T00:00:00.000Z',
          data: {
            target: name,
            kind: 'node',
            labels: {},
            from: 'pending',
            to,
            reason: 'r',
            confidence: 'single',
            evidence: [],
            confirmedAt: '2030-01-01T00:00:02.000Z',
            detectionMs: 2000,
          },
        },
      ],
    });

  it.each([
    ['up', 'pending'],
    ['down', 'pending'],
  ])('after it was %s is %s', async (before, after) => {
    const path = `/v1/targets/again-${before}`;
    await registry.call('PUT', path, { kind: 'node', check: CHECK });
    verdict(`again-${before}`, before, `evt_again_${before}`);
    // An own write comes back after the verdict was projected.
    expect((await registry.call('PATCH', path, { labels: { a: 'b' } })).body.state).toBe(before);
    await registry.call('DELETE', path);
    expect((await registry.call('PUT', path, { kind: 'node', check: CHECK })).body.state).toBe(after);
  });
});

describe('validation of a target', () => {
  it.each([
    ['no body', undefined, ''],
    ['an unknown field', { kind: 'node', check: CHECK, colour: 'red' }, '/colour'],
    ['an unknown field of the check', { kind: 'node', check: { ...CHECK, url2: 'x' } }, '/check/url2'],
    ['a duration that is none', { kind: 'node', check: { ...CHECK, interval: '10' } }, '/check/interval'],
    ['an unknown kind', { kind: 'toaster', check: CHECK }, '/kind'],
    ['another name than the path', { name: 'b', kind: 'node', check: CHECK }, '/name'],
    ['itself as parent', { kind: 'node', parent: 'bad', check: CHECK }, '/parent'],
    ['a list', [], ''],
  ])('refuses %s', async (_what, body, pointer) => {
    const answer = await registry.call('PUT', '/v1/targets/bad', body);
    expect(answer).toMatchObject({ status: 422, body: { code: 'TCN_INVALID', errors: [{ pointer }] } });
  });

  it('refuses a name that cannot be one', async () => {
    const answer = await registry.call('PUT', '/v1/targets/Bad_Name', { kind: 'node', check: CHECK });
    expect(answer).toMatchObject({ status: 422, body: { code: 'TCN_INVALID' } });
  });
});
