import { createHash } from 'node:crypto';
import type { DestinationAuth } from '@tocsin/contracts';
import type { Clock } from '@tocsin/domain';
import { basicAuthorization } from './format/authorization.js';
import type { AttemptOutcome } from './outcome.js';
import type { SendRequest } from './attempt.js';

/** A token is not used in its last seconds: it has to outlive the attempt. Milliseconds. */
const MARGIN_MS = 60_000;
/** How long a token without `expires_in` is trusted (RFC 6749 § 5.1 leaves it open). Milliseconds. */
const UNSAID_LIFETIME_MS = 300_000;
/** Tokens kept. */
const KEPT = 1_000;

export type OAuth2Auth = Extract<DestinationAuth, { type: 'oauth2' }>;
/** Makes one request; the deadline and the signal of the attempt are its caller's business. */
export type Send = (request: Pick<SendRequest, 'url' | 'headers' | 'body' | 'keepBytes'>) => Promise<AttemptOutcome>;
/** A token, and whether it was there before this attempt; or how asking for one ended. */
export type TokenResult = { token: string; cached: boolean } | { failed: AttemptOutcome };

interface HeldToken {
  token: string;
  untilMs: number;
}

/** Access tokens of the client credentials grant (RFC 6749 § 4.4), kept for as long as they are good, in memory only. */
export class OAuth2Tokens {
  readonly #held = new Map<string, HeldToken>();
  readonly #asking = new Map<string, Promise<TokenResult>>();

  constructor(private readonly clock: Clock) {}

  /** A token for this client. Several attempts at once ask the authorization server once. */
  async get(auth: OAuth2Auth, send: Send): Promise<TokenResult> {
    const key = keyOf(auth);
    const found = this.#find(key);
    if (found !== undefined) return { token: found, cached: true };
    const other = this.#asking.get(key);
    if (other !== undefined) {
      const result = await other;
      // If it failed for the other (its deadline may have been near), this attempt asks for itself.
      if ('token' in result) return result;
    }
    const asking = this.#ask(key, auth, send);
    this.#asking.set(key, asking);
    try {
      return await asking;
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    }
  }

  /** The receiver has refused this token; the next attempt gets another one. */
  forget(auth: OAuth2Auth, token: string): void {
    const key = keyOf(auth);
    if (this.#held.get(key)?.token === token) this.#held.delete(key);
  }

  #find(key: string): string | undefined {
    const held = this.#held.get(key);
    if (held === undefined || held.untilMs > this.clock.monotonicMs()) return held?.token;
    this.#held.delete(key);
    return undefined;
  }

  async #ask(key: string, auth: OAuth2Auth, send: Send): Promise<TokenResult> {
    const outcome = await send(tokenRequest(auth));
    if (outcome.kind === 'error' || outcome.status < 200 || outcome.status > 299) return { failed: outcome };
    const answer = tokenOf(outcome.bodyHead);
    // The body may hold half a secret: it is not kept.
    if (answer === undefined)
      return { failed: { ...outcome, rejected: 'auth', bodyHead: '(no bearer token in the answer)' } };
    const untilMs = this.clock.monotonicMs() + answer.lifetimeMs - MARGIN_MS;
    const oldest = this.#held.size >= KEPT ? this.#held.keys().next().value : undefined;
    if (oldest !== undefined) this.#held.delete(oldest);
    this.#held.set(key, { token: answer.token, untilMs });
    return { token: answer.token, cached: false };
  }
}

function keyOf(auth: OAuth2Auth): string {
  return createHash('sha256').update(JSON.stringify(auth)).digest('base64url');
}

function tokenRequest(auth: OAuth2Auth): Parameters<Send>[0] {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (auth.scope !== undefined) form.set('scope', auth.scope);
  if (auth.audience !== undefined) form.set('audience', auth.audience);
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };
  if (auth.clientAuth === 'post') {
    form.set('client_id', auth.clientId);
    form.set('client_secret', auth.clientSecret);
  } else {
    // RFC 6749 § 2.3.1: both are form-encoded before they become Basic credentials.
    headers['authorization'] = basicAuthorization(formEncoded(auth.clientId), formEncoded(auth.clientSecret));
  }
  return { url: auth.tokenUrl, headers, body: Buffer.from(form.toString(), 'utf8'), keepBytes: 65_536 };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

function tokenOf(body: string): { token: string; lifetimeMs: number } | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { access_token: token, token_type: type, expires_in: expiresIn } = answer as Record<string, unknown>;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return undefined;
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') return undefined;
  const seconds = Number(expiresIn);
  return { token, lifetimeMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : UNSAID_LIFETIME_MS };
}
