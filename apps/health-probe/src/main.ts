// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { runService } = await import('@tocsin/platform');
const { healthProbeConfig, HealthProbeModule } = await import('./app.module.js');

await runService({
  name: 'health-probe',
  config: healthProbeConfig,
  register: (parts) => HealthProbeModule.register(parts),
});
