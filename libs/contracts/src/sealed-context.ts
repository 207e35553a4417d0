/**
 * What the sealed envelope of a subscription is bound to (the additional data of AES-256-GCM): an envelope moved to another
 * subscription, or put back after it was superseded, does not open. The registry seals and delivery opens with the same text.
 */
export function sealedContext(subscription: string, sealedRef: string): string {
  return `subscription/${subscription}#${sealedRef}`;
}
