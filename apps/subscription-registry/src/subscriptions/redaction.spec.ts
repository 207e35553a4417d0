import { subscriptionSpecSchema } from '@tocsin/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactSpec, redactUrl, secretPartOf } from './redaction.js';

const SPEC = subscriptionSpecSchema.parse({
  destination: {
    kind: 'webhook',
    url: 'https://u:p@hooks.example.com:8443/T0/xyz?k=v#f',
    headers: { Authorization: 'Bearer t' },
  },
  types: ['*'],
});

describe('redacting', () => {
  it.each([
    ['https://hooks.example.com/T0/B0', 'https://hooks.example.com/…'],
    ['https://hooks.example.com/?k=v', 'https://hooks.example.com/…'],
    ['https://hooks.example.com/#f', 'https://hooks.example.com/…'],
    ['https://token@hooks.example.com/', 'https://hooks.example.com/…'],
    ['https://hooks.example.com', 'https://hooks.example.com/'],
    ['http://10.0.0.1:8080/x', 'http://10.0.0.1:8080/…'],
  ])('%s is shown as %s', (url, shown) => expect(redactUrl(url)).toBe(shown));

  it('leaves a declaration that is still valid, without any of its secrets', () => {
    const redacted = redactSpec(SPEC);
    expect(subscriptionSpecSchema.parse(redacted)).toEqual(redacted);
    expect(JSON.stringify(redacted)).not.toMatch(/T0|k=v|u:p|Bearer/);
  });

  it('is taken back as what it stood for, whatever the URL', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
        const secretPart = { url, headers: { a: 'b' } };
        const shown = redactSpec({ ...SPEC, destination: { kind: 'webhook', ...secretPart } });
        const back = secretPartOf(shown.destination, secretPart);
        expect(back.headers).toEqual(secretPart.headers);
        expect(back.url).toBe(url);
      }),
    );
  });

  it('refuses a redacted form that stands for nothing, or for another place', () => {
    const { destination } = redactSpec(SPEC);
    expect(() => secretPartOf(destination, undefined)).toThrow('give the whole URL');
    expect(() => secretPartOf(destination, { url: 'https://other.example/x', headers: {} })).toThrow('the whole URL');
    const { url } = SPEC.destination;
    expect(() => secretPartOf(destination, { url, headers: {} })).toThrow('/destination/headers/Authorization');
  });
});
