import { runService } from '@tocsin/platform';
import { HealthProbeModule } from './app.module.js';
import { healthProbeConfig } from './config.js';

await runService({
  name: 'health-probe',
  config: healthProbeConfig,
  register: (parts) => HealthProbeModule.register(parts),
});
