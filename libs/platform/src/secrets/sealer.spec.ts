import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMasterKeys } from './master-key.js';
import { Sealer } from './sealer.js';

const key = Sealer.newMasterKey();
const sealer = Sealer.fromMasterKey(key);

describe('Sealer', () => {
  it('opens what it sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (plaintext, context) => {
        expect(sealer.open(sealer.seal(plaintext, context), context)).toBe(plaintext);
      }),
    );
  });

  it('never gives the same envelope twice, and none that shows the text', () => {
    const [first, second] = [sealer.seal('whsec_secret', 'a'), sealer.seal('whsec_secret', 'a')];
    expect(first.equals(second)).toBe(false);
    expect(first.includes('secret')).toBe(false);
  });

  it('does not open an envelope for something else', () => {
    expect(() => sealer.open(sealer.seal('x', 'subscription/a'), 'subscription/b')).toThrow(
      expect.objectContaining({ code: 'TCN_SEAL_BROKEN' }),
    );
  });

  it('does not open an envelope of which any byte was changed, or that was cut', () => {
    const envelope = sealer.seal('secret', 'a');
    for (let index = 0; index < envelope.length; index += 1) {
      const changed = Buffer.from(envelope);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(() => sealer.open(changed, 'a')).toThrow(expect.objectContaining({ code: 'TCN_SEAL_BROKEN' }));
      expect(() => sealer.open(envelope.subarray(0, index), 'a')).toThrow(
        expect.objectContaining({ code: 'TCN_SEAL_BROKEN' }),
      );
    }
  });

  it('opens envelopes of an older key after the key was changed, and knows that they are old', () => {
    const newer = Sealer.newMasterKey();
    const rotated = Sealer.fromMasterKey(`${newer},${key}`);
    const old = sealer.seal('secret', 'a');
    expect(rotated.open(old, 'a')).toBe('secret');
    expect(rotated.isCurrent(old)).toBe(false);
    const fresh = rotated.seal('secret', 'a');
    expect(rotated.isCurrent(fresh)).toBe(true);
    expect(Sealer.fromMasterKey(newer).open(fresh, 'a')).toBe('secret');
    expect(() => Sealer.fromMasterKey(newer).open(old, 'a')).toThrow('not among those given');
  });

  it('takes the same key in base64, base64url and hex', () => {
    const bytes = randomBytes(32);
    const envelope = Sealer.fromMasterKey(bytes.toString('base64')).seal('x', 'a');
    expect(Sealer.fromMasterKey(bytes.toString('hex')).open(envelope, 'a')).toBe('x');
    expect(Sealer.fromMasterKey(bytes.toString('base64url')).open(envelope, 'a')).toBe('x');
  });

  it.each([
    '',
    'short',
    'ab'.repeat(31),
    'zz'.repeat(32),
    randomBytes(31).toString('base64'),
    randomBytes(33).toString('base64'),
    `${Sealer.newMasterKey()},`,
    `${Sealer.newMasterKey()},short`,
  ])('refuses %j as a key, without repeating it', (text) => {
    expect(parseMasterKeys(text)).toBeUndefined();
    let message = '';
    try {
      Sealer.fromMasterKey(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('TOCSIN_MASTER_KEY');
    if (text !== '') expect(message).not.toContain(text);
  });
});
