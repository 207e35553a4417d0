import { createHash, randomBytes, randomInt } from 'node:crypto';

// The id finds the key's row, the rest is the secret: 256 bits, which nobody guesses.
const FORM = /^tcn_([a-z0-9]{16})_[A-Za-z0-9_-]{43}$/;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A key as services hand it on to the registry. */
export interface PresentedKey {
  /** Names the key; no secret. */
  readonly keyId: string;
  /** SHA-256 of the whole key, base64url: proves possession to the registry and is of no use as a key. */
  readonly proof: string;
}

/** Makes an API key: `tcn_<16 characters of id>_<43 characters of secret>`. */
export function newApiKey(): string {
  const id = Array.from({ length: 16 }, () => ID_ALPHABET.charAt(randomInt(ID_ALPHABET.length))).join('');
  return `tcn_${id}_${randomBytes(32).toString('base64url')}`;
}

/** Reads a key as somebody sent it; undefined for what the registry never gave out. */
export function readApiKey(key: string): PresentedKey | undefined {
  const keyId = FORM.exec(key)?.[1];
  return keyId === undefined ? undefined : { keyId, proof: createHash('sha256').update(key).digest('base64url') };
}
