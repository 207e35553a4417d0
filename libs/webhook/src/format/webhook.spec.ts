import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import type { JsonValue, RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { newSigningSecret } from '../sign.js';
import { renderRequest } from './render.js';
import { splitCredentials } from './authorization.js';

const event: RecordedEvent = {
  id: 'evt_0198c2a0-0000-7000-8000-000000000001',
  source: 'tocsin/health-probe',
  type: 'io.tocsin.node.offline',
  subject: 'node/edge-fra-17',
  time: '2026-01-02T03:04:05.678Z',
  recordedAt: '2026-01-02T03:04:10.000Z',
  position: 42,
  version: 3,
  extensions: { episode: 'ep_1' },
  data: { reason: 'connection refused – Zürich ☎', labels: { site: 'fra' } },
};
const secrets = [newSigningSecret(), newSigningSecret()];
const destination = {
  kind: 'webhook' as const,
  url: 'https://hooks.example.net/in?x=1',
  headers: { 'X-Team': 'edge' },
};
const nowMs = () => Date.now();

describe('a webhook', () => {
  it('is a structured CloudEvent that the CloudEvents SDK reads', () => {
    const request = renderRequest({ destination, event, secrets, nowMs: nowMs() });
    const read = HTTP.toEvent({ headers: request.headers, body: request.body.toString('utf8') });
    expect(read).toMatchObject({
      id: event.id,
      type: event.type,
      subject: event.subject,
      source: event.source,
      position: 42,
      sequence: 3,
      episode: 'ep_1',
      data: event.data,
    });
  });

  it('is signed over the very bytes it carries, by every secret', () => {
    const request = renderRequest({ destination, event, secrets, nowMs: nowMs() });
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(request.body, request.headers)).toMatchObject({ id: event.id });
    }
    expect(request.headers['webhook-id']).toBe(event.id);
  });

  it('keeps id and body over attempts, and takes a new time for each', () => {
    const first = renderRequest({ destination, event, secrets, nowMs: 1_000_000 });
    const second = renderRequest({ destination, event, secrets, nowMs: 9_000_000 });
    expect(second.body.equals(first.body)).toBe(true);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect([first.headers['webhook-timestamp'], second.headers['webhook-timestamp']]).toEqual(['1000', '9000']);
    expect(second.headers['webhook-signature']).not.toBe(first.headers['webhook-signature']);
  });

  it('carries the subscription’s headers, which cannot displace the message’s own', () => {
    const headers = { 'X-Team': 'edge', 'Content-Type': 'text/plain', 'Webhook-Id': 'forged' };
    const request = renderRequest({ destination: { ...destination, headers }, event, secrets, nowMs: nowMs() });
    expect(request.headers).toMatchObject({ 'x-team': 'edge', 'webhook-id': event.id });
    expect(request.headers['content-type']).toMatch(/^application\/cloudevents\+json/);
    expect(Object.keys(request.headers).filter((name) => name !== name.toLowerCase())).toEqual([]);
  });

  it('gives a producer’s event an id of source and id', () => {
    const foreign = { ...event, source: 'https://ci.example.net/', id: 'build.7' };
    expect(renderRequest({ destination, event: foreign, secrets, nowMs: 0 }).headers['webhook-id']).toMatch(
      /^evt_[0-9a-f]{32}$/,
    );
  });
});

describe('credentials in a URL', () => {
  it('become Basic authentication and leave the URL', () => {
    expect(splitCredentials('https://us%20er:p%40ss@example.net/a?b')).toEqual({
      url: 'https://example.net/a?b',
      authorization: `Basic ${Buffer.from('us er:p@ss').toString('base64')}`,
    });
    expect(splitCredentials('https://example.net/a?b')).toEqual({ url: 'https://example.net/a?b' });
  });
});

describe('other forms of a webhook', () => {
  const render = (format: 'binary' | { template: JsonValue }, of = event) =>
    renderRequest({ destination: { ...destination, format }, event: of, secrets, nowMs: nowMs() });

  it('binary mode is read by the CloudEvents SDK and signed over its body', () => {
    const request = render('binary');
    const read = HTTP.toEvent({ headers: request.headers, body: request.body.toString('utf8') });
    expect(read).toMatchObject({
      id: event.id,
      type: event.type,
      subject: event.subject,
      episode: 'ep_1',
      data: event.data,
    });
    expect(request.headers['ce-position']).toBe('42');
    expect(new Webhook(secrets[0]!).verify(request.body, request.headers)).toEqual(event.data);
  });

  it('binary mode percent-encodes what a header cannot carry', () => {
    const request = render('binary', { ...event, subject: 'node/Zürich 1%"\r\nX-Evil: 1' });
    expect(request.headers['ce-subject']).toBe('node/Z%C3%BCrich%201%25%22%0D%0AX-Evil:%201');
    expect(decodeURIComponent(request.headers['ce-subject']!)).toBe('node/Zürich 1%"\r\nX-Evil: 1');
  });

  it('a template makes the body, under the same signature', () => {
    const request = render({ template: { what: '${event.type}', why: 'because ${data.reason}' } });
    const expected = { what: event.type, why: 'because connection refused – Zürich ☎' };
    expect(new Webhook(secrets[0]!).verify(request.body, request.headers)).toEqual(expected);
    expect(request.headers['content-type']).toBe('application/json; charset=utf-8');
  });
});
