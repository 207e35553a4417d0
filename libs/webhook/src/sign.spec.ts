import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { newSigningSecret, signatureHeaders } from './sign.js';

const nowS = () => Math.floor(Date.now() / 1_000);
const body = Buffer.from('{"text":"Zürich ☎ down"}', 'utf8');

describe('signatureHeaders', () => {
  it('gives the signature of the specification’s own example', () => {
    const headers = signatureHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, Buffer.from('{"test": 2432232314}'), [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ]);
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is accepted by the reference verifier, with every secret of a rotation', () => {
    const secrets = [newSigningSecret(), newSigningSecret(), newSigningSecret()];
    const headers = signatureHeaders('evt_1', nowS(), body, secrets);
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(body, headers)).toEqual({ text: 'Zürich ☎ down' });
    }
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(3);
  });

  it('is refused once a byte of the body, the id or the secret differs', () => {
    const secret = newSigningSecret();
    const headers = signatureHeaders('evt_1', nowS(), body, [secret]);
    const verify = (payload: Buffer, change: Record<string, string>, by = secret) =>
      new Webhook(by).verify(payload, { ...headers, ...change });
    expect(() => verify(Buffer.concat([body, Buffer.from(' ')]), {})).toThrow();
    expect(() => verify(body, { 'webhook-id': 'evt_2' })).toThrow();
    expect(() => verify(body, {}, newSigningSecret())).toThrow();
  });

  it('refuses to sign without a usable secret or with an ambiguous id', () => {
    expect(() => signatureHeaders('evt_1', 1, body, [])).toThrow(expect.objectContaining({ code: 'TCN_INVALID' }));
    expect(() => signatureHeaders('evt_1', 1, body, ['whsec_not base64!'])).toThrow(/base64/);
    expect(() => signatureHeaders('evt.1', 1, body, [newSigningSecret()])).toThrow(/dot/);
  });
});

describe('newSigningSecret', () => {
  it('is 32 random bytes', () => {
    const secret = newSigningSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(newSigningSecret()).not.toBe(secret);
  });
});
