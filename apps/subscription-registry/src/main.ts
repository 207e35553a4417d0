import { runService } from '@tocsin/platform';
import { SubscriptionRegistryModule } from './app.module.js';
import { subscriptionRegistryConfig } from './config.js';

await runService({
  name: 'subscription-registry',
  config: subscriptionRegistryConfig,
  register: (parts) => SubscriptionRegistryModule.register(parts),
});
