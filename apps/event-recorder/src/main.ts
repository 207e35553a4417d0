// Before telemetry starts, since that is who it tells its collector to be; whoever starts the process may know better, and says so in
// either of two variables. OTEL_SERVICE_NAME wins, so it is set only where neither names the service.
if (!/\bservice\.name=/.test(process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')) {
  process.env['OTEL_SERVICE_NAME'] ||= 'tocsin-event-recorder';
}
// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { letHeapGrow, runService } = await import('@tocsin/platform');
const { serveGrpc } = await import('@tocsin/grpc-contracts');
const { eventRecorderConfig, EventRecorderModule } = await import('./app.module.js');

// Under load hardly anything here grows old. V8 concludes that it may look through all of it often, and appends wait meanwhile.
letHeapGrow(100, process.execArgv);

await runService({
  name: 'event-recorder',
  config: eventRecorderConfig,
  register: (parts) => EventRecorderModule.register(parts),
  configure: async (app, config, { logger }) => {
    const { address } = await serveGrpc(app, { host: config.TOCSIN_HTTP_HOST, port: config.TOCSIN_GRPC_PORT });
    logger.info({ address }, 'event-recorder listens for gRPC');
  },
});
