/** Bytes of a key of AES-256. */
export const MASTER_KEY_BYTES = 32;

/** What {@link parseMasterKeys} takes, for messages to people. */
export const MASTER_KEY_SYNTAX =
  '32 bytes in base64 or hex (`openssl rand -base64 32`), older keys after it with commas between';

/** The keys in a text, the one to seal with first; undefined if any is not 32 bytes in base64 (or base64url) or hex. */
export function parseMasterKeys(text: string): [Buffer, ...Buffer[]] | undefined {
  const keys = text.split(',').map((part) => parseKey(part.trim()));
  const [first, ...others] = keys.filter((key) => key !== undefined);
  if (first === undefined || others.length + 1 !== keys.length) return undefined;
  return [first, ...others];
}

/** True if {@link parseMasterKeys} takes it. */
export function isMasterKey(text: string): boolean {
  return parseMasterKeys(text) !== undefined;
}

function parseKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  // 32 bytes are 43 characters of base64, then one of padding.
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  return key.length === MASTER_KEY_BYTES ? key : undefined;
}
