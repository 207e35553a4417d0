import { type Destination, destinationSchema, splitDestination } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { previewRequests } from './preview-requests.js';

const NOW_MS = Date.parse('2026-01-02T03:04:06.000Z');
const SECRETS = ['hush-1', 'hush-2', 'hush-3', 'hush-4'];
const event: RecordedEvent = {
  id: 'evt_1',
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  subject: 'node/edge-fra-17',
  time: '2026-01-02T03:04:05.678Z',
  recordedAt: '2026-01-02T03:04:10.000Z',
  position: 42,
  version: 3,
  extensions: { episode: 'ep_1' },
  data: { reason: 'connection refused', labels: { site: 'fra' } },
};

const preview = (destination: object) => {
  const parsed: Destination = destinationSchema.parse(destination);
  return previewRequests(splitDestination(parsed).redacted, event, NOW_MS);
};

describe('what would be sent', () => {
  it('is the request to the byte, with everything secret hidden and a signature that is none', async () => {
    const url = `https://user:hush-1@hooks.example.net/hush-2?k=hush-3`;
    const { requests, notes } = await preview({ kind: 'webhook', url, headers: { 'X-Key': 'hush-4' } });
    const [request] = requests;
    expect(request).toMatchObject({
      method: 'POST',
      url: 'https://hooks.example.net/…',
      headers: {
        host: 'hooks.example.net',
        'x-key': '***',
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'webhook-id': 'evt_1',
        'webhook-timestamp': '1767323046',
        'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      },
    });
    expect(JSON.parse(request!.body)).toMatchObject({ specversion: '1.0', id: 'evt_1', position: 42 });
    expect(request!.headers['content-length']).toBe(String(request!.bodyBytes));
    expect(notes).toEqual([expect.stringContaining('does not verify')]);
    const known = new Webhook(`whsec_${Buffer.alloc(32, 1).toString('base64')}`);
    expect(() => known.verify(request!.body, request!.headers)).toThrow();
  });

  it.each<[string, object, object]>([
    [
      'a template',
      {
        kind: 'webhook',
        url: 'https://a.example/',
        format: { template: { what: '${event.type}', at: '${labels.site}' } },
      },
      { body: '{"what":"io.tocsin.node.offline","at":"fra"}' },
    ],
    [
      'Basic',
      { kind: 'webhook', url: 'https://a.example/', auth: { type: 'basic', username: 'me', password: 'hush-1' } },
      { headers: expect.objectContaining({ authorization: 'Basic ***' }) },
    ],
    [
      'OAuth2',
      {
        kind: 'webhook',
        url: 'https://a.example/',
        auth: { type: 'oauth2', tokenUrl: 'https://id.example/', clientId: 'c', clientSecret: 'hush-1' },
      },
      { headers: expect.objectContaining({ authorization: 'Bearer ***' }) },
    ],
    [
      'a chat',
      { kind: 'slack', url: 'https://hooks.slack.com/services/T/B/hush-1' },
      { url: 'https://hooks.slack.com/…', body: expect.stringContaining('DOWN node edge-fra-17') },
    ],
    [
      'a robot that wants a signature',
      { kind: 'dingtalk', url: 'https://oapi.dingtalk.com/robot/send?access_token=hush-1', secret: 'hush-2' },
      { url: expect.stringMatching(/^https:\/\/oapi\.dingtalk\.com\/…\?timestamp=\d+&sign=/) },
    ],
    [
      'PagerDuty',
      { kind: 'pagerduty', routingKey: 'hush-1' },
      { body: expect.stringContaining('"routing_key":"***"') },
    ],
    [
      'Opsgenie',
      { kind: 'opsgenie', apiKey: 'hush-1' },
      { headers: expect.objectContaining({ authorization: 'GenieKey ***' }) },
    ],
    [
      'Alertmanager',
      { kind: 'alertmanager', url: 'https://am.example/hush-1/' },
      { url: 'https://am.example/…/api/v2/alerts' },
    ],
    [
      'a mail',
      { kind: 'email', url: 'smtps://me:hush-1@mail.example', from: 'a@example.net', to: ['b@example.net'] },
      { method: 'SMTP', headers: expect.objectContaining({ to: 'b@example.net', subject: 'DOWN node edge-fra-17' }) },
    ],
    [
      'Jira',
      {
        kind: 'jira',
        url: 'https://example.atlassian.net/',
        project: 'OPS',
        auth: { type: 'basic', username: 'me@example.net', password: 'hush-1' },
      },
      { method: 'GET', headers: expect.objectContaining({ authorization: 'Basic ***' }) },
    ],
  ])('is shown for %s', async (_what, destination, expected) => {
    const { requests } = await preview(destination);
    expect(requests[0]).toMatchObject(expected);
    const text = JSON.stringify(requests);
    for (const secret of SECRETS) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(`me:${secret}`).toString('base64'));
    }
  });

  it('shows each of several', async () => {
    const auth = { type: 'bearer', token: 'hush-1' };
    const { requests, notes } = await preview({ kind: 'jira', url: 'https://jira.example/', project: 'OPS', auth });
    expect(requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual([
      'GET https://jira.example/rest/api/2/search/jql',
      'POST https://jira.example/rest/api/2/issue',
    ]);
    expect(notes).toEqual([expect.stringContaining('no issue')]);
  });

  it('cuts a body that no message would hold, and says how long it is', async () => {
    const large = { ...event, data: { text: 'x'.repeat(200_000) } };
    const destination = destinationSchema.parse({ kind: 'webhook', url: 'https://a.example/' });
    const { requests } = await previewRequests(destination, large, NOW_MS);
    expect(requests[0]!.body).toHaveLength(65_536);
    expect(requests[0]!.bodyBytes).toBeGreaterThan(200_000);
  });
});
