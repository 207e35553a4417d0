import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { TocsinError } from '@tocsin/domain';
import { MASTER_KEY_SYNTAX, parseMasterKeys } from './master-key.js';

const ALGORITHM = 'aes-256-gcm';
const VERSION = 1;
const KEY_ID_BYTES = 8;
// NIST SP 800-38D § 8.2: 96-bit nonce; drawn at random a key is good for 2^32 seals.
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

/**
 * Seals secrets that are to be stored. Envelope: version (1 byte) ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16); AES-256-GCM with
 * everything before the ciphertext and the context as associated data. The key id is the head of SHA-256 of the key, so that
 * envelopes of an older key can still be opened after the master key was changed.
 */
export class Sealer {
  readonly #current: SealingKey;
  readonly #keys: ReadonlyMap<string, SealingKey>;

  private constructor(keys: readonly [SealingKey, ...SealingKey[]]) {
    this.#current = keys[0];
    this.#keys = new Map(keys.map((key) => [key.id.toString('hex'), key]));
  }

  /**
   * @param text 32 bytes in base64 or hex; older keys, for opening only, after it with commas between
   * @throws TocsinError `TCN_CONFIG` if it is anything else
   */
  static fromMasterKey(text: string): Sealer {
    const keys = parseMasterKeys(text);
    if (keys === undefined) throw new TocsinError('TCN_CONFIG', `TOCSIN_MASTER_KEY: must be ${MASTER_KEY_SYNTAX}`);
    const [first, ...older] = keys;
    return new Sealer([sealingKey(first), ...older.map(sealingKey)]);
  }

  /** A fresh master key, in base64. */
  static newMasterKey(): string {
    return randomBytes(32).toString('base64');
  }

  /**
   * @param context what the secret belongs to, e.g. `subscription/ops-chat`: an envelope moved to another place does not open
   */
  seal(plaintext: string, context: string): Buffer {
    const header = Buffer.concat([Buffer.of(VERSION), this.#current.id, randomBytes(NONCE_BYTES)]);
    const cipher = createCipheriv(ALGORITHM, this.#current.key, header.subarray(1 + KEY_ID_BYTES), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(associatedData(header, context));
    return Buffer.concat([header, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  /**
   * @throws TocsinError `TCN_SEAL_BROKEN` if no known key opens the envelope, or it belongs to another context, or was changed
   */
  open(envelope: Uint8Array, context: string): string {
    const bytes = Buffer.from(envelope);
    if (bytes.length < HEADER_BYTES + TAG_BYTES || bytes[0] !== VERSION) {
      throw new TocsinError('TCN_SEAL_BROKEN', 'this is not a sealed secret');
    }
    const key = this.#keys.get(bytes.subarray(1, 1 + KEY_ID_BYTES).toString('hex'));
    if (key === undefined) {
      throw new TocsinError('TCN_SEAL_BROKEN', 'the secret was sealed with a master key that is not among those given');
    }
    const header = bytes.subarray(0, HEADER_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key.key, header.subarray(1 + KEY_ID_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(associatedData(header, context));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      const opened = [decipher.update(bytes.subarray(HEADER_BYTES, bytes.length - TAG_BYTES)), decipher.final()];
      return Buffer.concat(opened).toString('utf8');
    } catch (cause) {
      throw new TocsinError('TCN_SEAL_BROKEN', 'the sealed secret was changed or belongs to something else', { cause });
    }
  }

  /** Was the envelope sealed with the key that is used now? If not, seal it again when it is next written. */
  isCurrent(envelope: Uint8Array): boolean {
    return Buffer.from(envelope.subarray(1, 1 + KEY_ID_BYTES)).equals(this.#current.id);
  }
}

interface SealingKey {
  id: Buffer;
  key: Buffer;
}

function sealingKey(key: Buffer): SealingKey {
  return { key, id: createHash('sha256').update('tocsin key id').update(key).digest().subarray(0, KEY_ID_BYTES) };
}

function associatedData(header: Buffer, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context, 'utf8')]);
}
