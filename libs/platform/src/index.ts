// First: instruments made before metrics have started stay silent.
export { metricsText } from './telemetry/metrics.js';
export { AnyContentType, BodyLimit, BODY_LIMIT_BYTES } from './http/body-reader.js';
export { ApiKeyGuard } from './access/api-key-guard.js';
export { allKeys } from './access/all-keys.js';
export { newApiKey, type PresentedKey, readApiKey } from './access/api-key.js';
export { BootstrapKeyVerifier } from './access/bootstrap-key-verifier.js';
export { USUAL_RATE } from './access/call-rate.js';
export { ExpiringCache } from './access/expiring-cache.js';
export { RegistryKeyVerifier } from './access/registry-key-verifier.js';
export { principalOf } from './access/caller.js';
export { CurrentPrincipal, KeyWatch, Public, RequireRole, RespectsScope } from './access/decorators.js';
export type { WhileAllowed } from './access/key-watch.js';
export {
  anyOfVerifiers,
  hasScope,
  type KeyVerifier,
  type Principal,
  type Role,
  ROLES,
  roleSatisfies,
  type Scope,
  scopeText,
} from './access/principal.js';
export { bootstrap, type BootstrapOptions, type RunningApp } from './bootstrap.js';
export { API_KEY_MIN_CHARS, commonFields } from './config/common-fields.js';
export { configExample } from './config/config-example.js';
export { configTable } from './config/config-table.js';
export {
  type ConfigDefinition,
  type ConfigField,
  type ConfigFields,
  type ConfigValues,
  defineConfig,
  required,
} from './config/define-config.js';
export { unknownVariables } from './config/unknown-variables.js';
export { type GrpcError, ProblemFilter, toGrpcError } from './errors/problem-filter.js';
export { problemHeaders, problemType, toProblem, toTocsinError } from './errors/problem.js';
export { codeOfHttpStatus, ERROR_STATUS, type ErrorStatus, GRPC_STATUS, type GrpcStatusName } from './errors/status.js';
export { type Readiness, type ReadinessCheck, ReadinessRegistry } from './health/readiness-registry.js';
export { isJsonMediaType, type MediaType, parseJsonBody, parseMediaType } from './http/json-body.js';
export { zodBody, zodParam, zodQuery } from './http/zod-body.js';
export {
  API_DESCRIPTION,
  type ApiAnswer,
  type ApiBody,
  type ApiDescription,
  type ApiOperation,
} from './openapi/api-description.js';
export { ApiDocument } from './openapi/api-document.js';
export type { OpenApi } from './openapi/openapi-document.js';
export type { ServedCall, ServedRoute } from './openapi/routes.js';
export { createLogger, type Logger, type LoggerOptions } from './logging/logger.js';
export { NestLogger } from './logging/nest-logger.js';
export { redactedOrigin, redactPath, redactUrls } from './logging/redact.js';
export { isMasterKey } from './secrets/master-key.js';
export { Sealer } from './secrets/sealer.js';
export { loadOrCreateSecretFile } from './secrets/secret-file.js';
export { letHeapGrow } from './heap-growth.js';
export { pause } from './pause.js';
export { Pump } from './pump.js';
export { runService, type ServiceConfig, type ServiceDefinition, startFailure } from './run-service.js';
export type { ServiceContext } from './service-context.js';
export { type SignalOptions, stopOnSignals } from './signals.js';
export { stopTelemetry } from './telemetry/stop.js';
export { systemClock } from './system-clock.js';
export { WorkSlices, workSlices } from './work-slices.js';
