import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { parseSubscriptionSpec, planSubscription } from './plan-subscription.js';
import { redactSpec } from './redaction.js';

const SPEC = parseSubscriptionSpec({
  destination: { kind: 'webhook', url: 'https://a.example/token', headers: { 'X-Key': 'hush' } },
  types: ['io.tocsin.node.*'],
});
const CURRENT = {
  url: SPEC.destination.url,
  headers: SPEC.destination.headers,
  signingSecrets: [{ secret: 'whsec_old' }],
};
const STANDING = {
  version: 4,
  declared: { spec: redactSpec(SPEC), revision: 40, sealedRef: 'rev_old', envelope: Buffer.of() },
};

const plan = (input: Partial<Parameters<typeof planSubscription>[0]>) =>
  planSubscription({
    name: 's',
    spec: SPEC,
    standing: STANDING,
    current: CURRENT,
    actor: 'me',
    egress: { checkUrl: () => undefined },
    secrets: { signingSecret: () => 'whsec_new', sealedRef: () => 'rev_new' },
    ...input,
  });

describe('planning a subscription', () => {
  it('makes a secret and a seal for a new one, and records only what may be seen', () => {
    const { declaration, ...rest } = plan({ standing: { version: 2 }, current: undefined, owner: 'team' });
    expect(rest).toEqual({
      outcome: 'created',
      spec: redactSpec(SPEC),
      secret: 'whsec_new',
      seal: {
        ref: 'rev_new',
        subscription: 's',
        content: { url: CURRENT.url, headers: CURRENT.headers, signingSecrets: [{ secret: 'whsec_new' }] },
      },
    });
    expect(declaration).toEqual({
      type: 'io.tocsin.subscription.created',
      subject: 'subscription/s',
      data: { name: 's', actor: 'me', owner: 'team', spec: redactSpec(SPEC), sealedRef: 'rev_new' },
      expectedVersion: 2,
    });
  });

  it('records nothing for what stands already, as sent or as shown', () => {
    expect(plan({})).toEqual({ outcome: 'unchanged', spec: redactSpec(SPEC) });
    expect(plan({ spec: redactSpec(SPEC) })).toEqual({ outcome: 'unchanged', spec: redactSpec(SPEC) });
  });

  it('keeps the seal where only the visible part changes', () => {
    const changed = plan({ spec: { ...redactSpec(SPEC), types: ['*'] } });
    expect(changed).toMatchObject({ outcome: 'updated', declaration: { data: { sealedRef: 'rev_old' } } });
    expect(changed).not.toHaveProperty('seal');
    expect(changed).not.toHaveProperty('secret');
  });

  it('seals anew where the secret part changes, and keeps the signing secret', () => {
    const destination = { ...SPEC.destination, url: 'https://a.example/other' };
    const changed = plan({ spec: { ...SPEC, destination } });
    expect(changed).toMatchObject({
      outcome: 'updated',
      declaration: { data: { sealedRef: 'rev_new', spec: redactSpec(SPEC) } },
      seal: { ref: 'rev_new', content: { url: destination.url, signingSecrets: CURRENT.signingSecrets } },
    });
    expect(changed).not.toHaveProperty('secret');
  });

  it('says where the address is that may not be sent to', () => {
    const egress = {
      checkUrl: () => {
        throw new TocsinError('TCN_EGRESS_BLOCKED', 'never');
      },
    };
    expect(() => plan({ egress })).toThrow(
      expect.objectContaining({
        code: 'TCN_EGRESS_BLOCKED',
        faults: [{ pointer: '/destination/url', detail: 'never' }],
      }),
    );
  });
});
