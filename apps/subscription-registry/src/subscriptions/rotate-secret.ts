import {
  durationSchema,
  nameSchema,
  parseOrThrow,
  REGISTRY_EVENTS,
  type SealedDestination,
  type SubscriptionView,
} from '@tocsin/contracts';
import { type Clock, parseDuration, TocsinError } from '@tocsin/domain';
import type { Scope } from '@tocsin/platform';
import { z } from 'zod';
import { inScope } from '../access/scope.js';
import { checkPrecondition, onCurrentState, type Precondition } from '../log/precondition.js';
import type { RegistryLog } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import { appendSealed } from './append-sealed.js';
import type { SecretSource } from './plan-subscription.js';
import type { SealedStore } from './sealed-store.js';
import type { SubscriptionStore } from './subscription-store.js';

/** Each request carries a signature by every live secret; more than three is a receiver that never finishes its change. */
const MOST_LIVE = 3;

type SigningSecrets = SealedDestination['signingSecrets'];

/** Body of a rotation. */
export const rotateSecretSchema = z
  .strictObject({
    overlap: durationSchema({ min: '0s', max: '7d' }).default('24h').meta({
      description: 'How long the secret until now goes on signing beside the new one; 0s ends all others at once',
    }),
  })
  .meta({ id: 'RotateSecret' });

/** Gives a subscription a new signing secret; for a while requests are signed by the old one too. */
export class RotateSecret {
  readonly #log: RegistryLog;
  readonly #subscriptions: SubscriptionStore;
  readonly #seals: SealedStore;
  readonly #secrets: SecretSource;
  readonly #clock: Clock;

  constructor(parts: {
    log: RegistryLog;
    subscriptions: SubscriptionStore;
    seals: SealedStore;
    secrets: SecretSource;
    clock: Clock;
  }) {
    this.#log = parts.log;
    this.#subscriptions = parts.subscriptions;
    this.#seals = parts.seals;
    this.#secrets = parts.secrets;
    this.#clock = parts.clock;
  }

  /**
   * @param request.body what {@link rotateSecretSchema} takes; nothing for the usual overlap
   * @returns the subscription with its new secret, this once
   * @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID`, `TCN_PRECONDITION_FAILED`, `TCN_CONFLICT` while three secrets are live; those of
   *   `RegistryLog.append`
   */
  async run(request: {
    name: string;
    body: unknown;
    actor: string;
    scope?: Scope;
    precondition?: Precondition;
  }): Promise<SubscriptionView> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const { overlap } = parseOrThrow(rotateSecretSchema, request.body ?? {}, 'rotation');
    const subject = subscriptionSubject(name);
    const secret = await onCurrentState(this.#log, async () => {
      const standing = (await this.#subscriptions.standing([name])).get(name);
      const visible = standing?.declared !== undefined && inScope(standing.declared.spec.labels, request.scope);
      const current = visible ? this.#seals.open(name, standing) : undefined;
      if (standing?.declared === undefined || current === undefined) {
        throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
      }
      checkPrecondition(request.precondition ?? {}, standing.declared.revision, subject);
      const fresh = this.#secrets.signingSecret();
      const signingSecrets = rotated(current.signingSecrets, fresh, this.#clock.now(), parseDuration(overlap) ?? 0);
      const ref = this.#secrets.sealedRef();
      const { spec } = standing.declared;
      await appendSealed(
        this.#log,
        this.#seals,
        [
          {
            type: REGISTRY_EVENTS.subscriptionUpdated,
            subject,
            data: { name, actor: request.actor, reason: 'signing secret rotated', spec, sealedRef: ref },
            expectedVersion: standing.version,
          },
        ],
        [{ ref, subscription: name, content: { ...current, signingSecrets } }],
      );
      return fresh;
    });
    const shown = await this.#subscriptions.find(name);
    if (shown === undefined)
      throw new TocsinError('TCN_CONFLICT', `${subject} was removed while its secret was rotated`);
    return { ...shown, secret };
  }
}

/**
 * The secrets after a rotation, newest first.
 * @throws TocsinError `TCN_CONFLICT` if that would leave more than three live
 */
export function rotated(secrets: SigningSecrets, fresh: string, nowMs: number, overlapMs: number): SigningSecrets {
  if (overlapMs === 0) return [{ secret: fresh }];
  const live = liveSecrets(secrets, nowMs).map(({ secret, notAfter }) => ({
    secret,
    notAfter: Math.min(notAfter ?? Number.POSITIVE_INFINITY, nowMs + overlapMs),
  }));
  if (live.length >= MOST_LIVE) {
    const first = new Date(Math.min(...live.map(({ notAfter }) => notAfter))).toISOString();
    throw new TocsinError(
      'TCN_CONFLICT',
      `${MOST_LIVE} signing secrets are live; the first of them ends at ${first} (overlap "0s" ends all at once)`,
    );
  }
  return [{ secret: fresh }, ...live];
}

/** Those that still sign. */
export function liveSecrets(secrets: SigningSecrets, nowMs: number): SigningSecrets {
  return secrets.filter(({ notAfter }) => notAfter === undefined || notAfter > nowMs);
}
