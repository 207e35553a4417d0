import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Broker } from '@tocsin/jetstream';
import { API_DESCRIPTION, type ServiceContext } from '@tocsin/platform';
import type { HealthProbeConfig } from './config.js';
import { HEARTBEAT_API } from './heartbeats/heartbeat-api.js';
import { HeartbeatController } from './heartbeats/heartbeat.controller.js';
import { HealthProbeService } from './health-probe-service.js';
import { ProbeStatistics } from './report/probe-statistics.js';

export { healthProbeConfig, type HealthProbeConfig } from './config.js';
export { ProbeStatistics } from './report/probe-statistics.js';

/** What the module is given by its process. */
export interface HealthProbeModuleOptions {
  config: HealthProbeConfig;
  context: ServiceContext;
  broker: Broker;
}

/** An observer: targets, schedule, votes, report. */
@Module({})
export class HealthProbeModule implements OnApplicationShutdown {
  constructor(@Inject(HealthProbeService) private readonly service: HealthProbeService) {}

  static register(options: HealthProbeModuleOptions): DynamicModule {
    return {
      module: HealthProbeModule,
      controllers: [HeartbeatController],
      providers: [
        { provide: API_DESCRIPTION, useValue: [HEARTBEAT_API] },
        { provide: ProbeStatistics, useFactory: () => new ProbeStatistics(options.config.TOCSIN_OBSERVER_ID) },
        {
          provide: HealthProbeService,
          useFactory: (statistics: ProbeStatistics) => new HealthProbeService({ ...options, statistics }),
          inject: [ProbeStatistics],
        },
      ],
      exports: [ProbeStatistics],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.service.stop();
  }
}
