import { describe, expect, it } from 'vitest';
import { BootstrapKeyVerifier } from './bootstrap-key-verifier.js';

describe('BootstrapKeyVerifier', () => {
  const verifier = new BootstrapKeyVerifier('the-key-of-at-least-32-characters-ä');

  it('knows its key as an admin', async () => {
    expect(await verifier.verify('the-key-of-at-least-32-characters-ä')).toEqual({ name: 'bootstrap', role: 'admin' });
  });

  it.each(['', 'the-key', 'the-key-of-at-least-32-characters-ä ', 'THE-KEY-OF-AT-LEAST-32-CHARACTERS-Ä'])(
    'knows no other: %j',
    async (key) => {
      expect(await verifier.verify(key)).toBeUndefined();
    },
  );
});
