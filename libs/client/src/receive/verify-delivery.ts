import { createHmac, timingSafeEqual } from 'node:crypto';
import { TocsinError } from '@tocsin/domain';
import { DeliveryRefused } from './refusal.js';

/** Headers as Node.js gives them: lower-case names, a list where one came twice. */
export type DeliveryHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What is true of a request once its signature holds. */
export interface VerifiedDelivery {
  /** The key of the event, the same in every attempt and every replay: what to deduplicate by. */
  webhookId: string;
  /** When this attempt was signed, epoch milliseconds. */
  signedAtMs: number;
}

const SECRET_PREFIX = 'whsec_';
/** A rotation has three secrets at most; nobody makes us compute for hundreds of signatures. */
const MOST_SIGNATURES = 16;

/**
 * The key of a signing secret, `whsec_` and base64.
 * @throws TocsinError `TCN_CONFIG`, which never says the secret
 */
export function signingKey(secret: string): Buffer {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  // Buffer.from skips what is not base64, and would verify with a key that nobody signs with.
  if (key.length === 0 || key.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) {
    throw new TocsinError('TCN_CONFIG', 'a signing secret is "whsec_" and base64, as Tocsin showed it');
  }
  return key;
}

/**
 * Proves that a request is Tocsin's and fresh (Standard Webhooks § "Verifying webhook authenticity"): HMAC-SHA256 of `id.timestamp.body`
 * under any of the keys, compared in constant time.
 * @param body the very bytes that came
 * @param keys in use now: during a rotation the new and the old one
 * @throws DeliveryRefused `header-missing`, `signature-wrong`, `timestamp-outside`
 */
export function verifyDelivery(
  request: { headers: DeliveryHeaders; body: Uint8Array },
  keys: readonly Buffer[],
  limits: { nowMs: number; toleranceMs: number },
): VerifiedDelivery {
  const webhookId = header(request.headers, 'webhook-id');
  const timestamp = header(request.headers, 'webhook-timestamp');
  const signatures = header(request.headers, 'webhook-signature');
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new DeliveryRefused('header-missing', 'the header "webhook-timestamp" must be seconds since 1970');
  }
  // First the signature: what a stranger sends should learn nothing of this machine's clock.
  const signed = signatures.split(' ', MOST_SIGNATURES).filter((entry) => entry.startsWith('v1,'));
  const given = signed.map((entry) => Buffer.from(entry.slice('v1,'.length), 'base64'));
  const fits = keys.some((key) => {
    const expected = createHmac('sha256', key).update(`${webhookId}.${timestamp}.`).update(request.body).digest();
    return given.some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
  });
  if (!fits) {
    const why =
      signed.length === 0
        ? 'the header "webhook-signature" has no signature of version v1'
        : 'no signature fits: another secret, or the body is not what was signed';
    throw new DeliveryRefused('signature-wrong', why);
  }
  const signedAtMs = Number(timestamp) * 1_000;
  const awayMs = limits.nowMs - signedAtMs;
  if (Math.abs(awayMs) > limits.toleranceMs) {
    const away = `${Math.round(Math.abs(awayMs) / 1_000)} s ${awayMs > 0 ? 'ago' : 'ahead of this clock'}`;
    throw new DeliveryRefused('timestamp-outside', `signed ${away}; ${limits.toleranceMs / 1_000} s are allowed`);
  }
  return { webhookId, signedAtMs };
}

function header(headers: DeliveryHeaders, name: string): string {
  const value = headers[name];
  if (typeof value === 'string' && value !== '') return value;
  const how = Array.isArray(value) ? 'came more than once' : 'is missing';
  throw new DeliveryRefused('header-missing', `the header "${name}" ${how}; is this request from Tocsin?`);
}
