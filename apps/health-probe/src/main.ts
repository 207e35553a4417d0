import { keepHeapSmall } from './heap-growth.js';

keepHeapSmall(process.execArgv);
// Before telemetry starts, since that is who it tells its collector to be; whoever starts the process may know better, and says so in
// either of two variables. OTEL_SERVICE_NAME wins, so it is set only where neither names the service.
if (!/\bservice\.name=/.test(process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')) {
  process.env['OTEL_SERVICE_NAME'] ||= 'tocsin-health-probe';
}
// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { runService } = await import('@tocsin/platform');
const { healthProbeConfig, HealthProbeModule } = await import('./app.module.js');

await runService({
  name: 'health-probe',
  config: healthProbeConfig,
  register: (parts) => HealthProbeModule.register(parts),
});
