import { nameSchema, parseOrThrow, type SubscriptionView } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { inScope } from '../access/scope.js';
import type { ReadRequest } from '../request/call.js';
import type { Page, PageRequest } from '../request/page.js';
import type { SubscriptionStore } from './subscription-store.js';

/** Shows subscriptions, redacted. */
export class ReadSubscriptions {
  readonly #subscriptions: SubscriptionStore;

  constructor(subscriptions: SubscriptionStore) {
    this.#subscriptions = subscriptions;
  }

  /** @throws TocsinError `TCN_NOT_FOUND`, `TCN_INVALID` for a name that cannot be one */
  async one({ name, scope }: ReadRequest): Promise<SubscriptionView> {
    const subscription = await this.#subscriptions.find(parseOrThrow(nameSchema, name, 'name'));
    if (subscription === undefined || !inScope(subscription.labels, scope))
      throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
    return subscription;
  }

  /** Subscriptions in order of their names. */
  page(request: PageRequest): Promise<Page<SubscriptionView>> {
    return this.#subscriptions.page(request);
  }
}
