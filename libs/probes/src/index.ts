export { EventLoopGuard } from './event-loop-guard.js';
export { NameResolver, ResolveError, type NameResolverOptions } from './name-resolver.js';
export { peerOf, runCheck, type ProbeDeps } from './run-check.js';
