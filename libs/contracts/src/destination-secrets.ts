import { TocsinError } from '@tocsin/domain';
import { z } from 'zod';
import { type Destination, destinationSchema, HIDDEN_VALUE, SECRET_SCHEMAS, type SecretForm } from './destination.js';
import { jsonPointer } from './problem.js';

/** Secret parts of a destination: RFC 6901 pointer into it → value. To be sealed, never shown, never recorded. */
export type DestinationSecrets = Record<string, string>;

/** Stands for what follows the origin of a URL, which is where chat services and many others carry their token. */
const HIDDEN_PATH = '/…';

/**
 * Parts a destination: `redacted` may be shown and recorded and is itself a valid destination, `secrets` go under seal.
 * What is secret is marked in the schema; a kind or field added there is split without a change here.
 */
export function splitDestination(destination: Destination): { redacted: Destination; secrets: DestinationSecrets } {
  const secrets: DestinationSecrets = {};
  const redacted = mapSecrets(destination, (value, form, pointer) => {
    secrets[pointer] = value;
    return redact(value, form);
  });
  return { redacted, secrets };
}

/** The inverse of {@link splitDestination}. Pointers that lead nowhere are ignored. */
export function joinDestination(redacted: Destination, secrets: DestinationSecrets): Destination {
  return mapSecrets(redacted, (value, _form, pointer) => secrets[pointer] ?? value);
}

/**
 * Whoever reads a subscription, changes a field and sends it back sends the redacted forms; they mean what is there now.
 * @param current the secrets of what is declared now, where anything is
 * @throws TocsinError `TCN_INVALID` with a fault at `<at><pointer>` for a redacted form that stands for nothing
 */
export function restoreDestination(
  sent: Destination,
  current: DestinationSecrets | undefined,
  at = '/destination',
): Destination {
  return mapSecrets(sent, (value, form, pointer) => {
    if (!isRedacted(value, form)) return value;
    const kept = current?.[pointer];
    if (kept !== undefined && redact(kept, form) === value) return kept;
    const detail = `is "${value}", which is how it is shown: give the value itself`;
    throw new TocsinError('TCN_INVALID', `subscription: ${at}${pointer}: ${detail}`, {
      faults: [{ pointer: at + pointer, detail }],
    });
  });
}

/** `https://hooks.example.com/T0/B0/xyz?k=v` → `https://hooks.example.com/…`; a bare origin keeps its `/`. */
function redact(value: string, form: SecretForm): string {
  if (form === 'value') return HIDDEN_VALUE;
  // Refinements of the whole run where a part has failed already: what is no URL shows nothing of itself.
  const url = URL.parse(value);
  if (url === null) return HIDDEN_VALUE;
  // `origin` is "null" for smtp, and holds no credentials for any scheme.
  const origin = `${url.protocol}//${url.host}`;
  const bare = ['', '/'].includes(url.pathname) && url.search + url.hash + url.username + url.password === '';
  return `${origin}${bare ? '/' : HIDDEN_PATH}`;
}

function isRedacted(value: string, form: SecretForm): boolean {
  return form === 'value' ? value === HIDDEN_VALUE : value.endsWith(HIDDEN_PATH);
}

type Change = (value: string, form: SecretForm, pointer: string) => string;

function mapSecrets(destination: Destination, change: Change): Destination {
  return walk(destinationSchema, destination, [], change) as Destination;
}

/** A copy of `value` with the strings changed that `schema` marks as secret. */
function walk(schema: z.core.$ZodType, value: unknown, path: readonly string[], change: Change): unknown {
  if (value === undefined) return value;
  const form = SECRET_SCHEMAS.get(schema)?.secret;
  if (form !== undefined && typeof value === 'string') return change(value, form, jsonPointer(path));
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return walk(schema.unwrap(), value, path, change);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const option = schema.options.find((candidate) => matches(candidate, value, schema.def.discriminator));
    return option === undefined ? value : walk(option, value, path, change);
  }
  if (typeof value !== 'object' || value === null) return value;
  const childOf = (name: string): z.core.$ZodType | undefined => {
    if (schema instanceof z.ZodObject) return (schema.shape as Record<string, z.core.$ZodType>)[name];
    return schema instanceof z.ZodRecord ? schema.valueType : undefined;
  };
  if (!(schema instanceof z.ZodObject) && !(schema instanceof z.ZodRecord)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const child = childOf(name);
      return [name, child === undefined ? inner : walk(child, inner, [...path, name], change)];
    }),
  );
}

/** Is this the branch of the union that the value's discriminator names? */
function matches(candidate: z.core.$ZodType, value: unknown, discriminator: string): boolean {
  if (!(candidate instanceof z.ZodObject) || typeof value !== 'object' || value === null) return false;
  const literal = (candidate.shape as Record<string, unknown>)[discriminator];
  return literal instanceof z.ZodLiteral && literal.value === (value as Record<string, unknown>)[discriminator];
}
