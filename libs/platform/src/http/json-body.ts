import { isNestedDeeper, type JsonValue, TocsinError } from '@tocsin/domain';
import { findJsonFault } from './json-fault.js';

/** Deepest nesting that is taken. Nothing of ours goes past 20; validators recurse, so a mebibyte of "[" must not reach them. */
export const JSON_MAX_DEPTH = 100;

/** JSON bodies of our own API, by their exact content types. */
export const JSON_MEDIA_TYPES = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/merge-patch+json',
] as const;

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The value of a JSON body.
 * @throws TocsinError `TCN_MALFORMED` that says what is wrong and where
 */
export function parseJsonBody(body: Uint8Array): JsonValue {
  let text: string;
  try {
    text = UTF_8.decode(body);
  } catch (cause) {
    throw new TocsinError('TCN_MALFORMED', 'the body is not UTF-8', { cause });
  }
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    const fault = findJsonFault(text);
    const where = fault === undefined ? '' : `: line ${fault.line}, column ${fault.column}: ${fault.detail}`;
    throw new TocsinError('TCN_MALFORMED', `the body is not JSON${where}`, { cause });
  }
  if (isNestedDeeper(value, JSON_MAX_DEPTH)) {
    throw new TocsinError('TCN_MALFORMED', `the body is nested more than ${JSON_MAX_DEPTH} levels deep`);
  }
  return value;
}

/** A parsed `Content-Type`. */
export interface MediaType {
  /** `type/subtype`, lower case. */
  essence: string;
  /** Lower case; undefined where none is named. */
  charset: string | undefined;
}

/** Undefined if there is none or it cannot be read. */
export function parseMediaType(contentType: string | undefined): MediaType | undefined {
  const match = /^\s*([!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+)\s*(?:;(.*))?$/.exec(contentType ?? '');
  const essence = match?.[1]?.toLowerCase();
  if (essence === undefined) return undefined;
  return { essence, charset: /(?:^|;)\s*charset\s*=\s*"?([^\s;"]+)"?/i.exec(match?.[2] ?? '')?.[1]?.toLowerCase() };
}

/** Is a body of this type JSON, by RFC 8259 or the suffix of RFC 6839? */
export function isJsonMediaType(mediaType: MediaType | undefined): boolean {
  return mediaType !== undefined && (mediaType.essence === 'application/json' || mediaType.essence.endsWith('+json'));
}
