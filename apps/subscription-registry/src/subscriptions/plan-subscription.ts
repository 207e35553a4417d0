import { checkFilter } from '@tocsin/cel';
import {
  type Destination,
  parseOrThrow,
  REGISTRY_EVENTS,
  requireWholeText,
  type SealedDestination,
  splitDestination,
  type SubscriptionSpec,
  subscriptionSpecSchema,
} from '@tocsin/contracts';
import { isDeepStrictEqual } from 'node:util';
import type { Declaration } from '../log/registry-log.js';
import type { Outcome } from '../log/outcome.js';
import { subscriptionSubject } from '../projection/change.js';
import { destinationMeant, secretsOf } from './secret-part.js';
import type { NewSeal } from './sealed-store.js';
import type { StandingSubscription } from './subscription-store.js';

/**
 * Refuses a destination, secrets in place, that could never be sent to.
 * @throws TocsinError `TCN_EGRESS_BLOCKED` or `TCN_INVALID` with a fault below `/destination`
 */
export type DestinationCheck = (destination: Destination) => void;

/** Makes what must not be guessed. */
export interface SecretSource {
  /** A signing secret, `whsec_…`. */
  signingSecret(): string;
  /** A name for a seal. */
  sealedRef(): string;
}

/** What has to be stored and recorded so that a subscription stands as declared. */
export interface SubscriptionPlan {
  readonly outcome: Outcome;
  /** The declaration as it is recorded and shown: redacted. */
  readonly spec: SubscriptionSpec;
  readonly declaration?: Declaration;
  /** To be stored before the declaration is recorded. */
  readonly seal?: NewSeal;
  /** The signing secret, where one was made. */
  readonly secret?: string;
}

/**
 * Validates a subscription's declaration, defaults filled in.
 * @throws TocsinError `TCN_INVALID`
 */
export function parseSubscriptionSpec(body: unknown): SubscriptionSpec {
  requireWholeText(body, 'subscription');
  return parseOrThrow(subscriptionSpecSchema, body, 'subscription');
}

/**
 * @param input.spec as declared, with redacted forms where what is there now shall stay
 * @throws TocsinError `TCN_INVALID` or `TCN_EGRESS_BLOCKED` with a pointer into the declaration
 */
export function planSubscription(input: {
  name: string;
  spec: SubscriptionSpec;
  standing: StandingSubscription;
  /** What the standing declaration's seal holds; absent where nothing is declared. */
  current: SealedDestination | undefined;
  actor: string;
  owner?: string;
  checkDestination: DestinationCheck;
  secrets: SecretSource;
}): SubscriptionPlan {
  const { name, standing, current, actor, owner } = input;
  const { declared } = standing;
  const before = declared === undefined || current === undefined ? undefined : secretsOf(current);
  const destination = destinationMeant(
    input.spec.destination,
    declared === undefined || before === undefined
      ? undefined
      : { destination: declared.spec.destination, secrets: before },
  );
  const { filter } = input.spec;
  // What stands was found good when it was declared.
  if (filter !== undefined && filter !== declared?.spec.filter) checkFilter(filter);
  input.checkDestination(destination);
  const { redacted, secrets: hidden } = splitDestination(destination);
  const spec = { ...input.spec, destination: redacted };
  const sameSecretPart = before !== undefined && isDeepStrictEqual(before, hidden);
  const kept = sameSecretPart ? declared : undefined;
  const sameOwner = owner === undefined || owner === declared?.owner;
  if (kept !== undefined && sameOwner && isDeepStrictEqual(kept.spec, spec)) return { outcome: 'unchanged', spec };

  const sealedRef = kept?.sealedRef ?? input.secrets.sealedRef();
  const secret = current === undefined ? input.secrets.signingSecret() : undefined;
  const signingSecrets = secret === undefined ? (current?.signingSecrets ?? []) : [{ secret }];
  return {
    outcome: declared === undefined ? 'created' : 'updated',
    spec,
    declaration: {
      type: declared === undefined ? REGISTRY_EVENTS.subscriptionCreated : REGISTRY_EVENTS.subscriptionUpdated,
      subject: subscriptionSubject(name),
      data: { name, actor, ...(owner === undefined ? {} : { owner }), spec, sealedRef },
      expectedVersion: standing.version,
    },
    ...(kept !== undefined
      ? {}
      : {
          seal: {
            ref: sealedRef,
            subscription: name,
            content: { url: destination.url, headers: destination.headers, secrets: hidden, signingSecrets },
          },
        }),
    ...(secret === undefined ? {} : { secret }),
  };
}
