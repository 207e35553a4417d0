// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { runService } = await import('@tocsin/platform');
const { eventRecorderConfig, EventRecorderModule } = await import('./app.module.js');

await runService({
  name: 'event-recorder',
  config: eventRecorderConfig,
  register: (parts) => EventRecorderModule.register(parts),
});
