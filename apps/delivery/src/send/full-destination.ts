import { type Destination, joinDestination, type SealedDestination, type SubscriptionSpec } from '@tocsin/contracts';

/** A destination with its secrets in place; envelopes of old have two kinds of them only. */
export function fullDestination(spec: Pick<SubscriptionSpec, 'destination'>, sealed: SealedDestination): Destination {
  const joined = joinDestination(spec.destination, sealed.secrets ?? {});
  return sealed.secrets === undefined ? { ...joined, url: sealed.url, headers: sealed.headers } : joined;
}

/** Signing secrets in use now, newest first. */
export function secretsInUse(sealed: SealedDestination, nowMs: number): string[] {
  return sealed.signingSecrets
    .filter(({ notAfter }) => notAfter === undefined || notAfter > nowMs)
    .map(({ secret }) => secret);
}
