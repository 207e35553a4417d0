import type { RecordedEvent } from '@tocsin/domain';
import { eventually } from '@tocsin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, type RunningRegistry } from './registry.harness.js';

const CHECK = { type: 'http', url: 'https://edge.example.net/healthz' };

let installation: Installation;
let registries: RunningRegistry[];

beforeAll(async () => {
  installation = await Installation.start();
  registries = [await installation.registry(), await installation.registry()];
});

afterAll(() => installation?.close());

const call: RunningRegistry['call'] = (...request) => (registries[0] as RunningRegistry).call(...request);
const about = (subject: string): RecordedEvent[] =>
  installation.recorder.events.filter((event) => event.subject === subject);

function down(kind: string, name: string): void {
  installation.recorder.append({
    events: [
      {
        id: `evt_${kind}_${name}_${installation.recorder.events.length}`,
        source: 'tocsin/health-probe',
        type: `io.tocsin.${kind}.offline`,
        subject: `${kind}/${name}`,
        time: '2030-01-01T00:00:00.000Z',
        extensions: { episode: `ep_${kind}_${name}` },
        data: {
          target: name,
          kind,
          labels: { site: 'fra' },
          from: 'up',
          to: 'down',
          reason: 'no answer',
          confidence: 'single',
          evidence: [],
          confirmedAt: '2030-01-01T00:00:02.000Z',
          detectionMs: 2_000,
        },
      },
    ],
  });
}

/** The one event that ended the outage; fails where there are two. */
async function ended(subject: string): Promise<RecordedEvent> {
  await eventually(async () => about(subject).some(({ type }) => type.endsWith('.online')), {
    what: `${subject} ended`,
  });
  const endings = about(subject).filter(({ type }) => type.endsWith('.online'));
  expect(endings).toHaveLength(1);
  return endings[0] as RecordedEvent;
}

describe('an outage whose target is watched no longer', () => {
  it('ends with the removal, in the same append', async () => {
    await call('PUT', '/v1/targets/gone', { kind: 'node', check: CHECK });
    down('node', 'gone');
    const appends: number[] = [];
    installation.recorder.beforeAppend = async ({ events }) => void appends.push(events.length);
    expect((await call('DELETE', '/v1/targets/gone')).status).toBe(204);
    installation.recorder.mend();
    expect(appends).toEqual([2]);
    const end = await ended('node/gone');
    expect(end).toMatchObject({
      extensions: { episode: 'ep_node_gone' },
      data: { to: 'up', reason: 'the target is no longer watched', labels: { site: 'fra' } },
    });
    expect(about('target/gone').at(-1)).toMatchObject({ type: 'io.tocsin.target.removed', position: end.position + 1 });
    expect((await call('PUT', '/v1/targets/gone', { kind: 'node', check: CHECK })).body.state).toBe('pending');
  });

  it('is not ended by a removal that only was a dry run', async () => {
    await call('PUT', '/v1/targets/dry', { kind: 'node', check: CHECK });
    down('node', 'dry');
    expect((await call('DELETE', '/v1/targets/dry?dryRun=true')).status).toBe(204);
    expect(about('node/dry')).toHaveLength(1);
  });

  it('ends also if it was confirmed in the moment of the removal, and once, however many replicas look', async () => {
    await call('PUT', '/v1/targets/late', { kind: 'node', check: CHECK });
    await call('DELETE', '/v1/targets/late');
    down('node', 'late');
    expect(await ended('node/late')).toMatchObject({ extensions: { episode: 'ep_node_late' } });
  });

  it('ends also if the name becomes a target of another kind', async () => {
    await call('PUT', '/v1/targets/turned', { kind: 'node', check: CHECK });
    down('node', 'turned');
    await call('PUT', '/v1/targets/turned', { kind: 'gateway', check: CHECK });
    await ended('node/turned');
  });

  it('stays open while its target is watched', async () => {
    await call('PUT', '/v1/targets/watched', { kind: 'node', check: CHECK });
    down('node', 'watched');
    // A later outage of something else is ended: whoever looks has looked.
    down('node', 'never-declared');
    await ended('node/never-declared');
    expect(about('node/watched')).toHaveLength(1);
  });
});
