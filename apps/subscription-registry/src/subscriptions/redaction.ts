import type { Destination, SealedDestination, SubscriptionSpec } from '@tocsin/contracts';
import { faultAt } from '../request/fault.js';

/** Stands for what follows the origin of a URL, which is where chat services and many others carry their token. */
const HIDDEN_PATH = '/…';
/** Stands for a header's value. It is ASCII, so that a redacted declaration is still a valid one. */
const HIDDEN_VALUE = '***';

/** The part of a destination that is never shown and never recorded. */
export type SecretPart = Pick<SealedDestination, 'url' | 'headers'>;

/** The declaration as it is recorded and shown: the URL cut to its origin, headers by name only. */
export function redactSpec(spec: SubscriptionSpec): SubscriptionSpec {
  return { ...spec, destination: redactDestination(spec.destination) };
}

function redactDestination(destination: Destination): Destination {
  return {
    ...destination,
    url: redactUrl(destination.url),
    headers: Object.fromEntries(Object.keys(destination.headers).map((name) => [name, HIDDEN_VALUE])),
  };
}

/** `https://hooks.example.com/T0/B0/xyz?k=v` → `https://hooks.example.com/…`; a bare origin keeps its `/`. */
export function redactUrl(text: string): string {
  const url = new URL(text);
  const bare = url.href === `${url.origin}/`;
  return `${url.origin}${bare ? '/' : HIDDEN_PATH}`;
}

/**
 * The secret part of a declaration. Whoever reads a subscription, changes a field and sends it back sends the redacted forms;
 * they mean what is there now.
 * @param current what is there now, where anything is
 * @throws TocsinError `TCN_INVALID` for a redacted form that stands for nothing
 */
export function secretPartOf(destination: Destination, current: SecretPart | undefined): SecretPart {
  return { url: urlOf(destination.url, current), headers: headersOf(destination.headers, current) };
}

function urlOf(url: string, current: SecretPart | undefined): string {
  if (current !== undefined && redactUrl(current.url) === url) return current.url;
  if (!url.endsWith(HIDDEN_PATH)) return url;
  throw faultAt(
    'TCN_INVALID',
    'subscription',
    '/destination/url',
    `ends in "${HIDDEN_PATH}", which is how the URL is shown: give the whole URL`,
  );
}

function headersOf(headers: Record<string, string>, current: SecretPart | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]): [string, string] => {
      if (value !== HIDDEN_VALUE) return [name, value];
      const kept = current?.headers[name];
      if (kept !== undefined) return [name, kept];
      throw faultAt(
        'TCN_INVALID',
        'subscription',
        `/destination/headers/${name.replaceAll('~', '~0')}`,
        `is "${HIDDEN_VALUE}", which is how values are shown: give the value itself`,
      );
    }),
  );
}
