import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * scrypt (RFC 7914) with N = 2^14, r = 8, p = 1: 16 MiB and some 40 ms a try. Our keys are 256 random bits, so no dictionary reaches them;
 * the cost is a second wall around a stolen table, and is kept low enough that a start of many clients at once does not queue for
 * seconds. The parameters stand with each hash, so raising them leaves old keys working.
 */
const COST = { N: 2 ** 14, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

/** What is kept of a key: `scrypt$N$r$p$salt$hash`. */
export async function hashProof(proof: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await deriveWith(proof, salt, HASH_BYTES, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Was `kept` made of this proof? Takes the same time whether or not. */
export async function matchesHash(proof: string, kept: string): Promise<boolean> {
  const [scheme, n, r, p, salt, hash] = kept.split('$');
  if (scheme !== 'scrypt' || salt === undefined || hash === undefined)
    throw new Error('the hash of a key is of no known form');
  const expected = Buffer.from(hash, 'base64url');
  const cost = { N: Number(n), r: Number(r), p: Number(p) };
  const actual = await deriveWith(proof, Buffer.from(salt, 'base64url'), expected.length, cost);
  return timingSafeEqual(actual, expected);
}

function deriveWith(proof: string, salt: Buffer, bytes: number, cost: typeof COST): Promise<Buffer> {
  return derive(proof, salt, bytes, { ...cost, maxmem: 256 * cost.N * cost.r });
}
