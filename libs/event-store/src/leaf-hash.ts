import { hash } from 'node:crypto';
import { canonicalJson, type ExtensionValue, type JsonValue } from '@tocsin/domain';

/** What a producer said, complete: the part of an event that does not depend on where the log put it. */
export interface EventContent {
  id: string;
  source: string;
  type: string;
  subject: string;
  /** RFC 3339, UTC, milliseconds. */
  time: string;
  extensions: Record<string, ExtensionValue>;
  datacontenttype?: string | undefined;
  dataschema?: string | undefined;
  data?: JsonValue | undefined;
}

/**
 * SHA-256 of the canonical JSON of what was sent, hexadecimal. The same key with another content hash is another event.
 * @throws TypeError if the data has no JSON spelling
 */
export function contentHash(content: EventContent): string {
  const { id, source, type, subject, time, extensions, datacontenttype, dataschema, data } = content;
  const members = { id, source, type, subject, time, extensions, datacontenttype, dataschema, data };
  return hash('sha256', canonicalJson(members), 'hex');
}

/**
 * SHA-256 of an event at its place in the log: the byte 0 (a leaf, as in RFC 6962, so that it can stand in a Merkle tree), the content
 * hash, position, version and time of recording (milliseconds since 1970), each 64 bits big-endian; hexadecimal. `log.append` and
 * `log.append_fresh` compute the same in SQL.
 */
export function leafHash(content: string, position: number, version: number, recordedAtMs: number): string {
  const leaf = Buffer.alloc(1 + 32 + 3 * 8);
  leaf.write(content, 1, 'hex');
  leaf.writeBigInt64BE(BigInt(position), 33);
  leaf.writeBigInt64BE(BigInt(version), 41);
  leaf.writeBigInt64BE(BigInt(recordedAtMs), 49);
  return hash('sha256', leaf, 'hex');
}
