export { certificatePlaceOf, lookAtCertificate, type CertificateLook, type CertificatePlace } from './certificate.js';
export { EventLoopGuard } from './event-loop-guard.js';
export { icmpFault } from './icmp-check.js';
export { NameResolver, ResolveError, type NameResolverOptions } from './name-resolver.js';
export { peerOf, runCheck, type ProbeDeps } from './run-check.js';
