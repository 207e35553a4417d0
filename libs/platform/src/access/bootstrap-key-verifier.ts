import { BOOTSTRAP_KEY_NAME } from '@tocsin/contracts';
import { hash, timingSafeEqual } from 'node:crypto';
import type { KeyVerifier, Principal } from './principal.js';

/** Knows one key, `TOCSIN_API_KEY`, with the role admin: the one that is there before any other is made. */
export class BootstrapKeyVerifier implements KeyVerifier {
  readonly #expected: Buffer;

  constructor(key: string) {
    this.#expected = digest(key);
  }

  async verify(key: string): Promise<Principal | undefined> {
    // Digests are of equal length and say nothing about how much of the key was right, so the time taken does not either.
    return timingSafeEqual(digest(key), this.#expected) ? { name: BOOTSTRAP_KEY_NAME, role: 'admin' } : undefined;
  }
}

function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}
