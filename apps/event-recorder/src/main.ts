import { runService } from '@tocsin/platform';
import { EventRecorderModule } from './app.module.js';
import { eventRecorderConfig } from './config.js';

await runService({
  name: 'event-recorder',
  config: eventRecorderConfig,
  register: (parts) => EventRecorderModule.register(parts),
});
