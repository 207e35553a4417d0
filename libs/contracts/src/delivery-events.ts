import { z } from 'zod';
import { nameSchema } from './primitives.js';

/** Source of delivery's own events. */
export const DELIVERY_SOURCE = 'tocsin/delivery';

/**
 * Types of delivery's own events: what it has learnt of a subscription's endpoint. Each is told once, and again only after the
 * opposite was. `failing` is told when the endpoint is first given a rest, and once more after each time in `warning`.
 */
export const DELIVERY_EVENTS = {
  failing: 'io.tocsin.subscription.failing',
  recovered: 'io.tocsin.subscription.recovered',
  misconfigured: 'io.tocsin.subscription.misconfigured',
  'auth-failing': 'io.tocsin.subscription.auth-failing',
  'auth-restored': 'io.tocsin.subscription.auth-restored',
  gone: 'io.tocsin.subscription.gone',
  disabled: 'io.tocsin.subscription.disabled',
} as const;

/**
 * Subject of delivery's events about a subscription. Not `subscription/<name>`: the registry appends to that with expected versions,
 * which an event of somebody else's would upset.
 */
export function subscriptionHealthSubject(name: string): string {
  return `subscription-health/${name}`;
}

/** Data of delivery's own events. */
export const subscriptionHealthSchema = z.object({
  name: nameSchema,
  /** Since when the endpoint has not taken anything, RFC 3339. */
  since: z.string().optional(),
  /** How long that is already, where it is a warning: `1h`, `24h`, `72h`. */
  warning: z.string().optional(),
  /** Why nothing more is sent: `gone`, `no-success`, `egress-blocked`. */
  reason: z.string().optional(),
  /** What the endpoint said last: a status, or the class of the error. */
  answer: z.string().optional(),
  /** Position of the event that was being delivered. */
  position: z.int(),
  /** Revision of the declaration that it was learnt under: a later one makes a `disabled` void. */
  revision: z.int().optional(),
});
export type SubscriptionHealth = z.infer<typeof subscriptionHealthSchema>;
