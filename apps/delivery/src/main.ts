import { runService } from '@tocsin/platform';
import { DeliveryModule } from './app.module.js';
import { deliveryConfig } from './config.js';

await runService({
  name: 'delivery',
  config: deliveryConfig,
  register: (parts) => DeliveryModule.register(parts),
});
