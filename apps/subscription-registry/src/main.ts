// Before telemetry starts, since that is who it tells its collector to be; whoever starts the process may know better, and says so in
// either of two variables. OTEL_SERVICE_NAME wins, so it is set only where neither names the service.
if (!/\bservice\.name=/.test(process.env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')) {
  process.env['OTEL_SERVICE_NAME'] ||= 'tocsin-subscription-registry';
}
// First of all and awaited: what is loaded after it is instrumented. Static imports would not wait for it.
await import('@tocsin/platform/telemetry');
const { runService } = await import('@tocsin/platform');
const { serveGrpc } = await import('@tocsin/grpc-contracts');
const { subscriptionRegistryConfig, SubscriptionRegistryModule } = await import('./app.module.js');

await runService({
  name: 'subscription-registry',
  config: subscriptionRegistryConfig,
  register: (parts) => SubscriptionRegistryModule.register(parts),
  configure: async (app, config, { logger }) => {
    const { address } = await serveGrpc(app, { host: config.TOCSIN_HTTP_HOST, port: config.TOCSIN_GRPC_PORT });
    logger.info({ address }, 'subscription-registry listens for gRPC');
  },
});
