import type { HeartbeatTokens, TargetSpec } from '@tocsin/contracts';
import { HEARTBEAT_TOKEN_BYTES, heartbeatToken, heartbeatTokenHash, TocsinError } from '@tocsin/domain';
import { randomBytes } from 'node:crypto';

/** A node is given its new token before the old one ends; more than three live ones are a node that never is. */
const MOST_LIVE = 3;

/** What a heartbeat's tokens are after a declaration, and the token itself where one was made. */
export interface TokensAfter {
  readonly heartbeat?: HeartbeatTokens;
  /** Shown this once: only its hash is kept. */
  readonly token?: string;
}

/** The tokens of a target after it was declared: a heartbeat keeps those it has, and gets one where it has none. */
export function tokensAfter(spec: TargetSpec, now: HeartbeatTokens | undefined): TokensAfter {
  if (spec.check.type !== 'heartbeat') return {};
  if (now !== undefined) return { heartbeat: now };
  const token = newToken();
  return { heartbeat: { tokens: [{ hash: heartbeatTokenHash(token) }] }, token };
}

/**
 * A new token, and for a while those until now beside it.
 * @param overlapMs 0: all others end at once
 * @throws TocsinError `TCN_CONFLICT` if that would leave more than three live
 */
export function rotatedTokens(
  now: HeartbeatTokens,
  nowMs: number,
  overlapMs: number,
): { heartbeat: HeartbeatTokens; token: string } {
  const token = newToken();
  const live = now.tokens
    .filter(({ notAfter }) => overlapMs > 0 && (notAfter === undefined || notAfter > nowMs))
    .map(({ hash, notAfter }) => ({ hash, notAfter: Math.min(notAfter ?? Infinity, nowMs + overlapMs) }));
  if (live.length >= MOST_LIVE) {
    const first = new Date(Math.min(...live.map(({ notAfter }) => notAfter))).toISOString();
    throw new TocsinError(
      'TCN_CONFLICT',
      `${MOST_LIVE} tokens are live; the first of them ends at ${first} (overlap "0s" ends all at once)`,
    );
  }
  return { heartbeat: { tokens: [{ hash: heartbeatTokenHash(token) }, ...live] }, token };
}

function newToken(): string {
  return heartbeatToken(randomBytes(HEARTBEAT_TOKEN_BYTES));
}
