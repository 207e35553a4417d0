import type { Provider } from '@nestjs/common';
import type { Clock } from '@tocsin/domain';
import type { Requester } from '../log/registry-log.js';
import { DeclareSubscription } from './declare-subscription.js';
import { PreviewSubscription } from './preview-subscription.js';
import { SubscriptionStore } from './subscription-store.js';
import { TestSubscription } from './test-subscription.js';

/** What it takes to try subscriptions out. */
export function trialProviders({ broker, clock }: { broker: Requester; clock: Clock }): Provider[] {
  return [
    {
      provide: PreviewSubscription,
      inject: [SubscriptionStore, DeclareSubscription],
      useFactory: (subscriptions: SubscriptionStore, declare: DeclareSubscription) =>
        new PreviewSubscription({ broker, subscriptions, declare, clock }),
    },
    {
      provide: TestSubscription,
      inject: [SubscriptionStore],
      useFactory: (subscriptions: SubscriptionStore) => new TestSubscription(broker, subscriptions),
    },
  ];
}
