import type { Outcome } from '../log/outcome.js';
import type { Declaration } from '../log/registry-log.js';
import type { NewSeal } from '../subscriptions/sealed-store.js';

/** Faults named in one answer: a fleet in which every target has one is understood sooner. */
export const MOST_FAULTS = 100;

/** One thing that an apply is about, and what has to be done for it. */
export interface ApplyStep {
  readonly kind: 'target' | 'subscription' | 'maintenance';
  readonly name: string;
  /** `<kind>/<name>`. */
  readonly subject: string;
  readonly outcome: Outcome | 'deleted';
  /** Revision it stands at; 0 where it is not there. */
  readonly revision: number;
  /** What has to be recorded; nothing where it stands as it shall. */
  readonly declarations: readonly Declaration[];
  /** Whose it was, where this takes it over; null: nobody's. */
  readonly takenFrom?: string | null;
  readonly seal?: NewSeal;
  /** Token made for a new heartbeat. */
  readonly token?: string;
  /** Signing secret made for a new subscription, with the subscription's name. */
  readonly secret?: { readonly name: string; readonly value: string };
}
