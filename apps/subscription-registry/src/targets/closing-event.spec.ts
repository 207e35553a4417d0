import { EVENT_CATALOGUE } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { recorded } from '../recorded.harness.js';
import { closingEvent } from './closing-event.js';

const NOW = Date.parse('2030-01-01T00:10:00.000Z');

function said(to: string, more: object = {}, extensions: Record<string, string> = { episode: 'ep_1' }) {
  return recorded(7, {
    source: 'tocsin/health-probe',
    type: 'io.tocsin.node.offline',
    subject: 'node/a',
    time: '2030-01-01T00:00:00.000Z',
    extensions,
    data: {
      target: 'a',
      kind: 'node',
      labels: { site: 'fra' },
      from: 'up',
      to,
      reason: 'no answer',
      confidence: 'single',
      evidence: [],
      confirmedAt: '2030-01-01T00:00:02.000Z',
      detectionMs: 2_000,
      ...more,
    },
  });
}

const close = (newest: ReturnType<typeof said> | undefined) =>
  closingEvent({ kind: 'node', name: 'a', newest, version: 3, nowMs: NOW });

describe('the end of an outage whose target is removed', () => {
  it('is of the type, the episode and the labels that its beginning promised', () => {
    const event = close(said('down'));
    expect(event).toMatchObject({
      type: 'io.tocsin.node.online',
      source: 'tocsin/health-probe',
      subject: 'node/a',
      extensions: { episode: 'ep_1' },
      expectedVersion: 3,
      data: {
        from: 'down',
        to: 'up',
        labels: { site: 'fra' },
        reason: 'the target is no longer watched',
        downMs: 600_000,
      },
    });
    expect(EVENT_CATALOGUE.get('io.tocsin.node.online')?.schema.safeParse(event?.data).success).toBe(true);
  });

  it.each([
    ['degraded', 'io.tocsin.node.restored'],
    ['unknown', 'io.tocsin.node.online'],
  ])('after %s is %s', (state, type) => {
    expect(close(said(state))?.type).toBe(type);
  });

  it('is not told where nothing is open', () => {
    expect(close(said('up'))).toBeUndefined();
    expect(close(undefined)).toBeUndefined();
  });

  it('ends what subscribers know of, not what was kept from them', () => {
    const kept = { episode: 'ep_2', withheld: 'maintenance' };
    expect(close(said('down', { told: { state: 'up' } }, kept))).toBeUndefined();
    const told = { state: 'down', since: '2030-01-01T00:09:00.000Z', episode: 'ep_1' };
    expect(close(said('up', { told }, kept))).toMatchObject({
      type: 'io.tocsin.node.online',
      extensions: { episode: 'ep_1' },
      data: { downMs: 60_000 },
    });
  });
});
