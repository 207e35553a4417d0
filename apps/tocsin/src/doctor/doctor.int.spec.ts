import { type Answer, Receiver, type ReceivedRequest } from '@tocsin/testing';
import { newSigningSecret } from '@tocsin/webhook';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { certificateOf } from './certificate.js';
import { examine } from './examination.js';
import type { Finding } from './judge.js';

const SECRET = newSigningSecret();

describe('the doctor', () => {
  let receiver: Receiver | undefined;

  afterEach(async () => {
    await receiver?.close();
    receiver = undefined;
  });

  async function examined(
    answer: (request: ReceivedRequest) => Answer,
    options: { secret?: string | undefined; deadlineMs?: number } = {},
  ): Promise<Record<string, Finding>> {
    receiver = await Receiver.start({ secrets: [SECRET], answer });
    return findings(receiver.url, 'secret' in options ? options.secret : SECRET, options.deadlineMs);
  }

  async function findings(
    url: string,
    secret: string | undefined,
    deadlineMs = 5_000,
  ): Promise<Record<string, Finding>> {
    const found: Finding[] = [];
    const signal = new AbortController().signal;
    for await (const one of examine({ url: new URL(url), secret, deadlineMs, signal, nowMs: Date.now }))
      found.push(one);
    return Object.fromEntries(found.map((one) => [one.check, one]));
  }

  const verdicts = (found: Record<string, Finding>) =>
    Object.fromEntries(Object.entries(found).map(([check, { verdict }]) => [check, verdict]));

  /** As a good receiver does it. */
  const good = (request: ReceivedRequest): Answer => ({ status: request.verified === true ? 204 : 401 });

  it('finds a good receiver good, by requests that say that they are tests', async () => {
    const found = await examined(good);
    expect(verdicts(found)).toEqual({
      'is reached safely': 'ok',
      'takes a signed request': 'ok',
      'answers in time': 'ok',
      'answers briefly': 'ok',
      'refuses a wrong signature': 'ok',
      'refuses a missing signature': 'ok',
      'refuses an old request': 'ok',
      'takes a repeat': 'ok',
      'takes a large event': 'ok',
      'takes several at once': 'ok',
    });
    for (const { json, headers } of receiver!.requests) {
      expect(json).toMatchObject({ specversion: '1.0', type: 'io.tocsin.receiver.test', data: { test: true } });
      expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    }
    // One repeat with the id it had; each other request has its own.
    const ids = receiver!.requests.map(({ headers }) => headers['webhook-id']).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(ids.length - 1);
  });

  it('says of a receiver that takes everything that anybody can forge events', async () => {
    const found = await examined(() => ({ status: 200 }));
    expect(verdicts(found)).toMatchObject({
      'takes a signed request': 'ok',
      'refuses a wrong signature': 'fail',
      'refuses a missing signature': 'fail',
      'refuses an old request': 'warn',
    });
    expect(found['refuses a wrong signature']?.detail).toContain('forge');
  });

  it('says of a receiver with another secret that it refuses what is signed', async () => {
    const found = await examined(good, { secret: newSigningSecret() });
    expect(found['takes a signed request']).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('HTTP 401'),
    });
  });

  it('without a secret looks at what needs none', async () => {
    expect(verdicts(await examined(good, { secret: undefined }))).toEqual({
      'is reached safely': 'ok',
      'takes a signed request': 'skip',
      'answers in time': 'ok',
      'answers briefly': 'ok',
      'refuses a wrong signature': 'ok',
      'refuses a missing signature': 'ok',
    });
  });

  it.each([
    [302, 'redirects are never followed'],
    [410, 'disable the subscription at once'],
    [429, 'wait as Retry-After says'],
    [404, 'no receiver takes a POST'],
    [415, 'give the event up at once'],
    [503, 'try again for three days'],
  ])('says what an answer %i leads to', async (status, meaning) => {
    const found = await examined(() => ({ status, headers: { location: '/elsewhere' } }));
    expect(found['takes a signed request']).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining(meaning),
    });
    expect(receiver!.requests.every(({ path }) => path === '/hook')).toBe(true);
  });

  it('says of a receiver that hangs that there is a limit', async () => {
    const found = await examined(() => ({ hang: 'before-head' }), { deadlineMs: 300 });
    expect(verdicts(found)).toMatchObject({ 'takes a signed request': 'fail', 'answers in time': 'fail' });
    expect(receiver!.requests).toHaveLength(1);
  });

  it('says of a body that comes by drops that nobody reads it', async () => {
    const found = await examined((request) => ({ ...good(request), status: 200, drip: { everyMs: 100, times: 15 } }));
    expect(found['answers in time']).toMatchObject({ verdict: 'warn', detail: expect.stringContaining('body') });
  });

  it('says of a body that is too long that it is cut', async () => {
    const found = await examined((request) => ({
      status: request.verified === true ? 200 : 401,
      body: 'x'.repeat(100_000),
    }));
    expect(found['answers briefly']).toMatchObject({ verdict: 'warn', detail: expect.stringContaining('16 KiB') });
  });

  it.each([
    ['with a Retry-After that can be read', { 'retry-after': '2' }, 'ok'],
    ['without one', {}, 'warn'],
  ])('takes 429 %s as %s', async (_what, headers, verdict) => {
    let seen = 0;
    const found = await examined((request) => {
      const several = (request.json as { data: { message: string } }).data.message.includes('at once');
      if (several) seen += 1;
      return several && seen > 2 ? { status: 429, headers } : good(request);
    });
    expect(found['takes several at once']).toMatchObject({ verdict, detail: expect.stringContaining('429') });
  });

  it('says of a receiver that takes no large events how large they may be', async () => {
    const found = await examined((request) => (request.rawBody.length > 100_000 ? { status: 413 } : good(request)));
    expect(found['takes a large event']).toMatchObject({
      verdict: 'warn',
      detail: expect.stringContaining('HTTP 413'),
    });
  });

  it('says of a receiver that answers a forged request by 500 that it looks like an outage', async () => {
    const found = await examined((request) => ({ status: request.verified === true ? 200 : 500 }));
    expect(found['refuses a wrong signature']).toMatchObject({
      verdict: 'warn',
      detail: expect.stringContaining('outage'),
    });
  });

  it('says that nobody is there, and leaves it at that', async () => {
    receiver = await Receiver.start();
    const { url } = receiver;
    await receiver.close();
    const found = await findings(url, SECRET);
    expect(found['takes a signed request']).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('refused'),
    });
    expect(Object.keys(found)).toHaveLength(4);
  });

  describe('of a receiver over TLS', () => {
    let folder: string | undefined;

    afterEach(async () => {
      if (folder !== undefined) await rm(folder, { recursive: true });
      folder = undefined;
    });

    async function listening(days: number): Promise<{ url: string; ca: string; close: () => Promise<void> }> {
      folder = await mkdtemp(join(tmpdir(), 'tocsin-doctor-'));
      const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
      const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      await promisify(execFile)('openssl', [
        'req',
        ...kind,
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        String(days),
        ...subject,
      ]);
      const ca = await readFile(cert, 'utf8');
      const server = createServer({ key: await readFile(key), cert: ca }, (request, response) => {
        request.resume().on('end', () => response.writeHead(204).end());
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return {
        url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        ca,
        close: async () => {
          server.closeAllConnections();
          await new Promise((resolve) => server.close(resolve));
        },
      };
    }

    it('says that its certificate is not trusted, or for how long it holds', async () => {
      const server = await listening(90);
      try {
        const found = await findings(server.url, SECRET);
        expect(found['is reached safely']).toMatchObject({ verdict: 'fail', detail: expect.stringContaining('tls') });

        const trusted = { url: new URL(server.url), secret: SECRET, deadlineMs: 5_000, ca: [server.ca] };
        const signal = new AbortController().signal;
        const { value: now } = await examine({ ...trusted, signal, nowMs: Date.now }).next();
        expect(now).toMatchObject({ verdict: 'ok', detail: expect.stringMatching(/holds for another (89|90) days/) });
        const late = () => Date.now() + 85 * 86_400_000;
        const { value: soon } = await examine({ ...trusted, signal, nowMs: late }).next();
        expect(soon).toMatchObject({ verdict: 'warn', detail: expect.stringMatching(/ends in [45] days/) });
      } finally {
        await server.close();
      }
    });

    it('sees no certificate where there is none', async () => {
      receiver = await Receiver.start();
      expect(await certificateOf(new URL(`https://127.0.0.1:${receiver.port}/`))).toBeUndefined();
    });
  });
});
