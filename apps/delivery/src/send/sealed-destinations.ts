import {
  type SealedDestination,
  sealedContext,
  sealedDestinationSchema,
  RPC,
  sealedReplySchema,
} from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Sealer } from '@tocsin/platform';

/**
 * The part of each subscription that is not in the log: URL, headers, signing secrets. The registry hands it out sealed; it is
 * opened here and kept in memory only, until the log says that the subscription has changed.
 */
export class SealedDestinations {
  readonly #opened = new Map<string, Promise<SealedDestination>>();

  constructor(
    private readonly broker: Broker,
    private readonly sealer: Sealer,
  ) {}

  /**
   * @throws TocsinError `TCN_UNAVAILABLE` or `TCN_TIMEOUT` where no registry answers, `TCN_NOT_FOUND` where it has no such
   * subscription any more, `TCN_SEAL_BROKEN` where the master keys differ
   */
  async of(subscription: string): Promise<SealedDestination> {
    let opened = this.#opened.get(subscription);
    if (opened === undefined) {
      opened = this.#fetch(subscription);
      this.#opened.set(subscription, opened);
      opened.catch(() => this.#opened.delete(subscription));
    }
    return opened;
  }

  /** The subscription has changed or is gone. */
  forget(subscription: string): void {
    this.#opened.delete(subscription);
  }

  async #fetch(subscription: string): Promise<SealedDestination> {
    const reply = await this.broker.request(RPC.registrySealed, { subscription }, { schema: sealedReplySchema });
    if (reply.sealed === undefined || reply.sealedRef === undefined) {
      throw new TocsinError('TCN_NOT_FOUND', `the registry has no sealed destination of subscription ${subscription}`);
    }
    return this.opened({ name: subscription, sealed: reply.sealed, sealedRef: reply.sealedRef });
  }

  /** Opens an envelope that somebody has at hand. @throws TocsinError `TCN_SEAL_BROKEN` where the master keys differ */
  opened({ name, sealed, sealedRef }: { name: string; sealed: string; sealedRef: string }): SealedDestination {
    const text = this.sealer.open(Buffer.from(sealed, 'base64'), sealedContext(name, sealedRef));
    return sealedDestinationSchema.parse(JSON.parse(text));
  }
}
