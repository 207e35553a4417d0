export { EgressPolicy } from './egress.js';
export type { PhaseLimits } from './dial.js';
export type { AttemptError, AttemptOutcome, AttemptPhase, AttemptResponse, PhasesMs } from './outcome.js';
export { type RenderedRequest, type RenderInput, renderRequest } from './format/render.js';
export { type HostResolver, SystemResolver } from './resolver.js';
export { parseRetryAfterMs } from './retry-after.js';
export {
  DEFAULT_DEADLINE_MS,
  MAX_DEADLINE_MS,
  Sender,
  type SenderOptions,
  type SendRequest,
  USER_AGENT,
} from './sender.js';
export { newSigningSecret, signatureHeaders } from './sign.js';
export type { TlsIdentity } from './tls-context.js';
