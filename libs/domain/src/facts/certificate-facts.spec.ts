import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  certificateLookDelayMs,
  certificateNews,
  type CertificateFact,
  type CertificateSeen,
  type KnownCertificate,
} from './certificate-facts.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);
const LIFE_DAYS = 100;
const issuer = 'C=US, O=Trust Services, CN=WR1';

function certificate(fingerprint: string, more: Partial<CertificateSeen> = {}): CertificateSeen {
  const notBeforeMs = START_MS;
  const notAfterMs = START_MS + LIFE_DAYS * DAY_MS;
  return { fingerprint, notBeforeMs, notAfterMs, issuer, names: ['edge.test'], matches: true, ...more };
}

const day = (days: number) => START_MS + days * DAY_MS;

/** Looks, each at its day: what is said at each, and what is known in the end. */
function looks(...seen: (readonly [number, CertificateSeen])[]) {
  let known: readonly KnownCertificate[] | undefined;
  const facts = seen.map(([days, one]) => {
    const decision = certificateNews(known, one, day(days));
    known = decision.known;
    return decision.news.filter(({ first }) => !first).map(({ fact }) => fact);
  });
  return { facts, known };
}

describe('a certificate', () => {
  it('is recorded when it is first seen, which is nobody’s news', () => {
    const { news } = certificateNews(undefined, certificate('a'), day(1));
    expect(news).toMatchObject([{ fact: 'changed', first: true }]);
  });

  it('is announced as expiring with 25 % and 10 % of its life left, and as expired, once each', () => {
    const a = certificate('a');
    const { facts } = looks([1, a], [74, a], [75, a], [80, a], [90, a], [95, a], [100, a], [120, a]);
    expect(facts).toEqual([[], [], ['expiring'], [], ['expiring'], [], ['expired'], []]);
  });

  it('that is late already when it is first seen is announced with its last stage alone', () => {
    expect(looks([95, certificate('a')]).facts).toEqual([['expiring']]);
    expect(looks([101, certificate('a')]).facts).toEqual([['expired']]);
  });

  it('is not announced at an earlier stage because a clock was set back', () => {
    const a = certificate('a');
    expect(looks([101, a], [80, a], [101, a]).facts).toEqual([['expired'], [], []]);
  });

  it('is renewed by one for the same names, of the same organisation, until later', () => {
    const b = certificate('b', {
      notBeforeMs: day(70),
      notAfterMs: day(170),
      issuer: 'C=US, O=Trust Services, CN=WR2',
    });
    expect(looks([1, certificate('a')], [71, b]).facts).toEqual([[], ['renewed']]);
  });

  it.each([
    ['other names', { names: ['other.test'] }],
    ['another issuer', { issuer: 'O=Somebody Else, CN=CA' }],
    ['no longer life', { notAfterMs: day(90) }],
  ])('is changed, not renewed, by one with %s', (_what, more) => {
    const b = certificate('b', { notAfterMs: day(170), ...more });
    const { facts } = looks([1, certificate('a')], [2, b]);
    expect(facts[1]).toEqual(['changed']);
  });

  it('is announced as invalid and as mismatched once', () => {
    const bad = certificate('a', { distrust: 'SELF_SIGNED_CERT_IN_CHAIN', matches: false });
    expect(looks([1, bad], [2, bad]).facts).toEqual([['invalid', 'mismatched'], []]);
  });

  it('that two servers show in turn, one each, is announced once', () => {
    const a = certificate('a');
    const b = certificate('b', { notAfterMs: day(170) });
    expect(looks([1, a], [2, b], [3, a], [4, b], [5, a]).facts).toEqual([[], ['renewed'], [], [], []]);
  });

  it('is looked at hourly, every ten minutes with less than a tenth of its life left, and soon after a look that saw none', () => {
    expect(certificateLookDelayMs(certificate('a'), day(50))).toBe(3_600_000);
    expect(certificateLookDelayMs(certificate('a'), day(91))).toBe(600_000);
    expect(certificateLookDelayMs(undefined, day(50))).toBe(60_000);
  });

  it('for any looks in any order: each stage of each certificate is said once at most, and never milder than before', () => {
    const step = fc.tuple(fc.integer({ min: 0, max: 130 }), fc.constantFrom('a', 'b', 'c'));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const said = new Map<string, CertificateFact[]>();
        let known: readonly KnownCertificate[] | undefined;
        for (const [days, name] of steps) {
          const decision = certificateNews(known, certificate(name), day(days));
          known = decision.known;
          const ages = decision.news.map(({ fact }) => fact).filter((fact) => fact.startsWith('expir'));
          said.set(name, [...(said.get(name) ?? []), ...ages]);
        }
        for (const facts of said.values()) {
          expect(facts.filter((fact) => fact === 'expired').length).toBeLessThanOrEqual(1);
          expect(facts.filter((fact) => fact === 'expiring').length).toBeLessThanOrEqual(2);
          expect(facts.indexOf('expired') === -1 || facts.at(-1) === 'expired').toBe(true);
        }
      }),
    );
  });
});
