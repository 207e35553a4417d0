import { describe, expect, it } from 'vitest';
import { type Destination, destinationSchema } from './destination.js';
import { joinDestination, restoreDestination, splitDestination } from './destination-secrets.js';
import { subscriptionSpecSchema } from './subscription.js';

const PEM = '-----BEGIN PRIVATE KEY-----\nS3CRET\n-----END PRIVATE KEY-----\n';
const CERT = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const auth = { type: 'oauth2', tokenUrl: 'https://id.example.net/token', clientId: 'me', clientSecret: 'S3CRET' };

/** One of each kind with every secret it can have; each contains S3CRET. */
const EVERY: Record<string, unknown>[] = [
  {
    kind: 'webhook',
    url: 'https://u:S3CRET@hooks.example.net/S3CRET?k=S3CRET#S3CRET',
    headers: { authorization: 'S3CRET', 'x-b~c': 'S3CRET' },
    auth,
    tls: { cert: CERT, key: PEM, passphrase: 'S3CRET' },
    format: { template: { text: '${event.type}' } },
  },
  { kind: 'webhook', url: 'https://hooks.example.net/', auth: { type: 'basic', username: 'u', password: 'S3CRET' } },
  { kind: 'webhook', url: 'https://hooks.example.net/', auth: { type: 'bearer', token: 'S3CRET' } },
  { kind: 'slack', url: 'https://hooks.slack.com/services/T0/B0/S3CRET' },
  { kind: 'discord', url: 'https://discord.com/api/webhooks/1/S3CRET' },
  { kind: 'teams', url: 'https://x.logic.azure.com/workflows/S3CRET?sig=S3CRET' },
  { kind: 'dingtalk', url: 'https://oapi.dingtalk.com/robot/send?access_token=S3CRET', secret: 'S3CRET' },
  { kind: 'feishu', url: 'https://open.feishu.cn/open-apis/bot/v2/hook/S3CRET', secret: 'S3CRET' },
  { kind: 'pagerduty', routingKey: 'S3CRET' },
  { kind: 'opsgenie', apiKey: 'S3CRET', tags: ['edge'] },
  {
    kind: 'jira',
    url: 'https://example.atlassian.net/',
    auth: { type: 'basic', username: 'a@b.c', password: 'S3CRET' },
    project: 'OPS',
  },
  { kind: 'alertmanager', url: 'https://am.example.net/', headers: { 'x-scope': 'S3CRET' }, auth },
  { kind: 'email', url: 'smtps://u:S3CRET@mail.example.net:465', from: 'tocsin@example.net', to: ['ops@example.net'] },
];
const parsed = (value: unknown): Destination => destinationSchema.parse(value);

describe('splitDestination', () => {
  it('covers every kind there is', () => {
    const kinds = destinationSchema.options.map((option) => option.shape.kind.value);
    expect(new Set(EVERY.map((destination) => destination['kind']))).toEqual(new Set(kinds));
  });

  it.each(EVERY.map((value) => [value['kind'] as string, value] as const))(
    'leaves no secret of %s in what is shown',
    (_kind, value) => {
      const destination = parsed(value);
      const { redacted, secrets } = splitDestination(destination);
      expect(JSON.stringify(redacted)).not.toContain('S3CRET');
      expect(Object.values(secrets).join()).toContain('S3CRET');
      expect(parsed(redacted)).toEqual(redacted);
      expect(joinDestination(redacted, secrets)).toEqual(destination);
    },
  );

  it('shows a URL by its origin and a header by its name', () => {
    const { redacted, secrets } = splitDestination(parsed(EVERY[0]));
    expect(redacted).toMatchObject({
      url: 'https://hooks.example.net/…',
      headers: { authorization: '***', 'x-b~c': '***' },
      auth: { tokenUrl: 'https://id.example.net/token', clientId: 'me', clientSecret: '***' },
      tls: { cert: CERT, key: '***', passphrase: '***' },
    });
    expect(Object.keys(secrets)).toEqual([
      '/url',
      '/headers/authorization',
      '/headers/x-b~0c',
      '/auth/clientSecret',
      '/tls/key',
      '/tls/passphrase',
    ]);
  });

  it('shows the mail server without its credentials', () => {
    expect(splitDestination(parsed(EVERY.at(-1))).redacted.url).toBe('smtps://mail.example.net:465/…');
  });
});

describe('restoreDestination', () => {
  it.each(EVERY.map((value) => [value['kind'] as string, value] as const))(
    'puts back what %s stood for',
    (_kind, value) => {
      const destination = parsed(value);
      const { redacted, secrets } = splitDestination(destination);
      expect(restoreDestination(redacted, secrets)).toEqual(destination);
    },
  );

  it('takes a new value where one is given', () => {
    const { redacted, secrets } = splitDestination(parsed({ kind: 'pagerduty', routingKey: 'old' }));
    expect(restoreDestination({ ...redacted, routingKey: 'new' } as Destination, secrets)).toMatchObject({
      routingKey: 'new',
    });
  });

  it('names what stands for nothing, with a pointer', () => {
    const { redacted } = splitDestination(parsed({ kind: 'slack', url: 'https://hooks.slack.com/services/x' }));
    expect(() => restoreDestination(redacted, undefined)).toThrow(
      expect.objectContaining({
        code: 'TCN_INVALID',
        faults: [expect.objectContaining({ pointer: '/destination/url' })],
      }),
    );
    // A secret never moves to another host.
    expect(() => restoreDestination(redacted, { '/url': 'https://elsewhere.example.net/token' })).toThrow(
      /how it is shown/,
    );
  });
});

describe('destinationSchema', () => {
  it('still takes a webhook as it always did, adding nothing', () => {
    expect(parsed({ kind: 'webhook', url: 'https://hooks.example.net/x' })).toEqual({
      kind: 'webhook',
      url: 'https://hooks.example.net/x',
      headers: {},
    });
  });

  it.each<[string, unknown]>([
    ['an unknown kind', { kind: 'pigeon', url: 'https://example.net/' }],
    ['an unknown field', { kind: 'slack', url: 'https://example.net/', channel: '#ops' }],
    ['a URL of another scheme', { kind: 'slack', url: 'ftp://example.net/' }],
    ['a certificate without its key', { kind: 'webhook', url: 'https://example.net/', tls: { cert: CERT } }],
    ['a reserved header', { kind: 'webhook', url: 'https://example.net/', headers: { Host: 'x' } }],
    ['a mail address that brings headers along', { ...EVERY.at(-1), to: ['a@b.c\r\nBcc: x@y.z'] }],
    ['a project that is no key', { ...EVERY[10], project: 'OPS" OR 1=1' }],
  ])('refuses %s', (_what, value) => {
    expect(destinationSchema.safeParse(value).success).toBe(false);
  });
});

describe('subscriptionSpecSchema', () => {
  const accepts = (destination: unknown) =>
    subscriptionSpecSchema.safeParse({ destination, types: ['io.tocsin.*'] }).success;

  it('takes every kind of destination, whatever is secret in it', () => {
    expect(EVERY.filter((destination) => !accepts(destination))).toEqual([]);
  });

  it('refuses a URL that is none, instead of throwing', () => {
    expect(accepts({ kind: 'webhook', url: 'hooks' })).toBe(false);
  });
});
