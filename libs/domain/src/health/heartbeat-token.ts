import { createHash } from 'node:crypto';

/** 256 random bits: nobody guesses one, and nothing leads from its hash back to it. */
export const HEARTBEAT_TOKEN_BYTES = 32;
const PREFIX = 'hb_';

/** The token of a heartbeat: `hb_` and 43 letters, digits, `-` and `_`, fit for a path and for a NATS subject. */
export function heartbeatToken(random: Uint8Array): string {
  return PREFIX + Buffer.from(random).toString('base64url');
}

/** What a token is known by: SHA-256, hex. Looking a hash up takes the same time whatever token was guessed. */
export function heartbeatTokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
