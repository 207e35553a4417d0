import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { TocsinError } from '@tocsin/domain';

const SECRET_PREFIX = 'whsec_';
/** Standard Webhooks asks for 24 to 64 bytes; 32 is the size of the digest. */
const SECRET_BYTES = 32;

/** A fresh signing secret: `whsec_` and the base64 of 32 random bytes. */
export function newSigningSecret(): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/**
 * The three headers of Standard Webhooks, `v1`: HMAC-SHA256 over `id.timestamp.body`, base64. With several secrets (during a
 * rotation) one signature each, separated by a space: a receiver takes any that fits.
 * @param id constant over retries; without a dot, which separates the signed parts
 * @param timestampS seconds since 1970, of this attempt: receivers refuse old ones
 * @param body the very bytes that are sent
 * @param secrets `whsec_…`, newest first, at least one
 * @throws TocsinError `TCN_INVALID` if there is no secret, one is not base64, or the id has a dot
 */
export function signatureHeaders(
  id: string,
  timestampS: number,
  body: Buffer,
  secrets: readonly string[],
): Record<string, string> {
  if (secrets.length === 0) throw new TocsinError('TCN_INVALID', 'a webhook cannot be signed without a secret');
  if (id.includes('.')) throw new TocsinError('TCN_INVALID', 'a webhook id must have no dot');
  const signatures = secrets.map((secret) => {
    const digest = createHmac('sha256', keyOf(secret)).update(`${id}.${timestampS}.`).update(body).digest('base64');
    return `v1,${digest}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatures.join(' '),
  };
}

/** Prepared keys by secret: preparing one takes five times as long as signing with it. */
const keys = new Map<string, KeyObject>();
const KEYS_KEPT = 1_000;

function keyOf(secret: string): KeyObject {
  const known = keys.get(secret);
  if (known !== undefined) return known;
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  const bytes = Buffer.from(encoded, 'base64');
  // Buffer.from skips what is not base64, and would sign with a key nobody knows.
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) {
    throw new TocsinError('TCN_INVALID', 'a signing secret must be "whsec_" and base64');
  }
  const key = createSecretKey(bytes);
  const oldest = keys.size >= KEYS_KEPT ? keys.keys().next().value : undefined;
  if (oldest !== undefined) keys.delete(oldest);
  keys.set(secret, key);
  return key;
}
