import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { parseSubscriptionSpec, planSubscription } from './plan-subscription.js';
import { destinationSchema, type SubscriptionSpec, splitDestination } from '@tocsin/contracts';

const SPEC = parseSubscriptionSpec({
  destination: { kind: 'webhook', url: 'https://a.example/token', headers: { 'X-Key': 'hush' } },
  types: ['io.tocsin.node.*'],
});
const redactSpec = (spec: SubscriptionSpec) => ({ ...spec, destination: splitDestination(spec.destination).redacted });
const { secrets: SECRETS } = splitDestination(SPEC.destination);
const CURRENT = {
  url: SPEC.destination.url,
  headers: SPEC.destination.headers,
  secrets: SECRETS,
  signingSecrets: [{ secret: 'whsec_old' }],
};
const STANDING = {
  version: 4,
  declared: { spec: redactSpec(SPEC), revision: 40, sealedRef: 'rev_old', disabled: false, envelope: Buffer.of() },
};

const plan = (input: Partial<Parameters<typeof planSubscription>[0]>) =>
  planSubscription({
    name: 's',
    spec: SPEC,
    standing: STANDING,
    current: CURRENT,
    actor: 'me',
    checkDestination: () => undefined,
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
        content: {
          url: CURRENT.url,
          headers: CURRENT.headers,
          secrets: SECRETS,
          signingSecrets: [{ secret: 'whsec_new' }],
        },
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

  it('records a filter, and refuses one that could never be asked, with its place', () => {
    const filter = 'data.to == "down"';
    const changed = plan({ spec: { ...SPEC, filter } });
    expect(changed).toMatchObject({ outcome: 'updated', declaration: { data: { spec: { filter } } } });
    expect(() => plan({ spec: { ...SPEC, filter: 'data.to ==\n  evnt.to' } })).toThrow(
      expect.objectContaining({
        code: 'TCN_INVALID',
        faults: [{ pointer: '/filter', detail: expect.stringMatching(/^line 2, column 3: there is no "evnt"/) }],
      }),
    );
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

  it('checks the destination as it is meant, and lets its faults through', () => {
    const seen: string[] = [];
    plan({ spec: redactSpec(SPEC), checkDestination: ({ url }) => void seen.push(url) });
    expect(seen).toEqual(['https://a.example/token']);
    const refusal = new TocsinError('TCN_EGRESS_BLOCKED', 'never');
    const refuse = () => {
      throw refusal;
    };
    expect(() => plan({ checkDestination: refuse })).toThrow(refusal);
  });

  it('seals everything that is secret', () => {
    const auth = { type: 'bearer', token: 'hush' };
    const spec = {
      ...SPEC,
      destination: destinationSchema.parse({ kind: 'webhook', url: 'https://a.example/x', auth }),
    };
    const made = plan({ spec, standing: { version: 0 }, current: undefined });
    expect(made.seal?.content.secrets).toEqual({ '/url': 'https://a.example/x', '/auth/token': 'hush' });
    expect(JSON.stringify(made.declaration)).not.toContain('hush');
  });
});
