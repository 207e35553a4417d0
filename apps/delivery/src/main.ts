// Before telemetry starts, since that is who it tells its collector to be; whoever starts the process may know better, and says so in
// either of two variables. OTEL_SERVICE_NAME wins, so it is set only where neither names the service.
if (!/\bservice\.name=/.test(process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')) {
  process.env['OTEL_SERVICE_NAME'] ||= 'tocsin-delivery';
}
// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { runService } = await import('@tocsin/platform');
const { deliveryConfig, DeliveryModule } = await import('./app.module.js');

await runService({
  name: 'delivery',
  config: deliveryConfig,
  register: (parts) => DeliveryModule.register(parts),
});
