import { type Destination, destinationSchema, splitDestination } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { destinationMeant, secretsOf } from './secret-part.js';

const DESTINATION = destinationSchema.parse({
  kind: 'webhook',
  url: 'https://hooks.example.com/T0/xyz',
  headers: { 'X-Key': 'hush' },
  auth: { type: 'oauth2', tokenUrl: 'https://login.example.com/token', clientId: 'c', clientSecret: 's' },
});
const { redacted, secrets } = splitDestination(DESTINATION);
const NOW = { destination: redacted, secrets };
const meant = (change: Partial<Destination>) => destinationMeant({ ...redacted, ...change } as Destination, NOW);

describe('a destination sent back as it was shown', () => {
  it('means what is there now', () => {
    expect(destinationMeant(redacted, NOW)).toEqual(DESTINATION);
    expect(meant({ url: 'https://hooks.example.com/other' })).toEqual({
      ...DESTINATION,
      url: 'https://hooks.example.com/other',
    });
  });

  it('means nothing where nothing is', () => {
    expect(() => destinationMeant(redacted, undefined)).toThrow('/destination/url');
  });

  it.each([
    { url: 'https://attacker.example/T0/xyz' },
    { url: 'http://hooks.example.com/T0/xyz' },
    { url: 'https://hooks.example.com:8443/T0/xyz' },
  ])('keeps no secret for another place: %j', (change) => {
    expect(() => meant(change)).toThrow('/destination/headers/X-Key');
  });

  it('keeps no secret for another token endpoint', () => {
    const auth = {
      type: 'oauth2' as const,
      tokenUrl: 'https://attacker.example/t',
      clientId: 'c',
      clientSecret: '***',
    };
    expect(() => meant({ url: DESTINATION.url, headers: { 'X-Key': 'new' }, auth } as Partial<Destination>)).toThrow(
      '/destination/auth/clientSecret',
    );
  });
});

describe('the secrets in a seal', () => {
  it('are read from older seals too', () => {
    const sealed = { url: 'https://a.example/x', headers: { 'a/b': 'v' }, signingSecrets: [{ secret: 'whsec_x' }] };
    expect(secretsOf(sealed)).toEqual({ '/url': 'https://a.example/x', '/headers/a~1b': 'v' });
    expect(secretsOf({ ...sealed, secrets: { '/url': 'https://a.example/y' } })).toEqual({
      '/url': 'https://a.example/y',
    });
  });
});
