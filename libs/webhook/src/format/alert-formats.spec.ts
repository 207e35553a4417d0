import { type Destination, destinationSchema } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { DOWN_FACTS as FACTS, downEvent as down, producersEvent as news, upEvent as up } from '../events.harness.js';
import { renderRequest } from './render.js';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 11);

function render(destination: unknown, event: typeof down) {
  const request = renderRequest({ destination: destinationSchema.parse(destination), event, secrets: [], nowMs });
  return { ...request, json: JSON.parse(request.body.toString('utf8')) as Record<string, never> };
}
describe('pagerduty', () => {
  const pagerduty = { kind: 'pagerduty', routingKey: 'R0123456789012345678901234567890' };
  it('triggers on down', () => {
    const { url, json } = render(pagerduty, down);
    expect(url).toBe('https://events.pagerduty.com/v2/enqueue');
    expect(json).toEqual({
      routing_key: pagerduty.routingKey,
      event_action: 'trigger',
      dedup_key: 'ep_0198c2a0',
      client: 'Tocsin',
      payload: {
        summary: 'DOWN node edge-fra-17: connection refused at 10.0.0.7:443 <tcp>',
        source: 'node/edge-fra-17',
        severity: 'critical',
        timestamp: '2026-01-02T03:04:05.678Z',
        component: 'edge-fra-17',
        class: 'io.tocsin.node.offline',
        custom_details: { ...Object.fromEntries(FACTS), Event: down.id },
      },
    });
  });
  it('resolves the same key on up', () => {
    expect(render(pagerduty, up).json).toEqual({
      routing_key: pagerduty.routingKey,
      event_action: 'resolve',
      dedup_key: 'ep_0198c2a0',
    });
  });
  it('pairs opening and closing facts without an episode by subject and fact', () => {
    const pairs = [
      ['io.tocsin.node.degraded', 'io.tocsin.node.restored'],
      ['io.tocsin.certificate.expiring', 'io.tocsin.certificate.renewed'],
      ['io.tocsin.group.outage', 'io.tocsin.group.recovered'],
      ['io.tocsin.dns.failing', 'io.tocsin.dns.recovered'],
      ['io.tocsin.observer.isolated', 'io.tocsin.observer.rejoined'],
      ['io.tocsin.resource.cpu-high', 'io.tocsin.resource.cpu-normal'],
      ['io.tocsin.job.failed', 'io.tocsin.job.recovered'],
      ['io.tocsin.config.sync-lagging', 'io.tocsin.config.sync-caught-up'],
      ['io.tocsin.subscription.auth-failing', 'io.tocsin.subscription.auth-restored'],
    ];
    for (const [opening = '', closing = ''] of pairs) {
      const opened = render(pagerduty, { ...down, type: opening, extensions: {} }).json;
      const closed = render(pagerduty, { ...down, type: closing, extensions: {} }).json;
      expect([opened['event_action'], closed['event_action'], opening]).toEqual(['trigger', 'resolve', opening]);
      expect([closed['dedup_key'], opening]).toEqual([opened['dedup_key'], opening]);
    }
  });
  it('gives news an alert of its own', () => {
    const { json } = render(pagerduty, news);
    expect(json['event_action']).toBe('trigger');
    expect(json['dedup_key']).toMatch(/^evt_[0-9a-f]{32}$/);
  });
});

describe('opsgenie', () => {
  const opsgenie = { kind: 'opsgenie', apiKey: 'k', tags: ['edge'] };
  it('creates by alias on down', () => {
    const { url, headers, json } = render(opsgenie, down);
    expect(url).toBe('https://api.opsgenie.com/v2/alerts');
    expect(headers['authorization']).toBe('GenieKey k');
    expect(json).toEqual({
      message: 'DOWN node edge-fra-17',
      alias: 'ep_0198c2a0',
      description: 'connection refused at 10.0.0.7:443 <tcp>',
      entity: 'node/edge-fra-17',
      source: 'Tocsin',
      priority: 'P1',
      tags: ['edge'],
      details: { ...Object.fromEntries(FACTS), Event: down.id },
    });
  });
  it('closes the same alias on up', () => {
    const { url, json } = render({ ...opsgenie, url: 'https://api.eu.opsgenie.com' }, up);
    expect(url).toBe('https://api.eu.opsgenie.com/v2/alerts/ep_0198c2a0/close?identifierType=alias');
    expect(json).toEqual({
      source: 'Tocsin',
      user: 'Tocsin',
      note: 'UP node edge-fra-17 after 12m 5s: answers again: 200 in 12 ms',
    });
  });
});

describe('alertmanager', () => {
  const alertmanager = { kind: 'alertmanager', url: 'https://am.example.net/prefix/' };
  const labels = {
    site: 'fra',
    role: 'edge',
    alertname: 'TocsinNodeOffline',
    subject: 'node/edge-fra-17',
    severity: 'critical',
  };
  it('opens an alert that does not end by itself within the hour', () => {
    const { url, json } = render(alertmanager, down);
    expect(url).toBe('https://am.example.net/prefix/api/v2/alerts');
    expect(json).toEqual([
      {
        labels,
        annotations: {
          summary: 'DOWN node edge-fra-17',
          description: 'connection refused at 10.0.0.7:443 <tcp>',
          event: down.id,
        },
        startsAt: '2026-01-02T03:04:05.678Z',
        endsAt: '2026-01-09T03:04:05.678Z',
      },
    ]);
  });
  it('ends the alert of the same labels on up', () => {
    expect(render(alertmanager, up).json).toEqual([
      {
        labels,
        annotations: {
          summary: 'UP node edge-fra-17 after 12m 5s',
          description: 'answers again: 200 in 12 ms',
          event: up.id,
        },
        startsAt: '2026-01-02T03:04:05.678Z',
        endsAt: '2026-01-02T03:16:10.678Z',
      },
    ]);
  });
});

describe('authentication', () => {
  const url = 'https://am.example.net/';
  it.each<[unknown, string | undefined]>([
    [{ type: 'basic', username: 'u', password: 'pä:ss' }, `Basic ${Buffer.from('u:pä:ss').toString('base64')}`],
    [{ type: 'bearer', token: 't0k' }, 'Bearer t0k'],
    [{ type: 'oauth2', tokenUrl: 'https://id.example.net/t', clientId: 'c', clientSecret: 's' }, undefined],
  ])('%j', (auth, authorization) => {
    const destination: Destination = destinationSchema.parse({ kind: 'alertmanager', url, auth });
    expect(renderRequest({ destination, event: down, secrets: [], nowMs }).headers['authorization']).toBe(
      authorization,
    );
  });
  it('takes credentials out of the URL for every kind', () => {
    const request = render({ kind: 'alertmanager', url: 'https://u:p@am.example.net/' }, down);
    expect(request.url).toBe('https://am.example.net/api/v2/alerts');
    expect(request.headers['authorization']).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`);
  });
});
