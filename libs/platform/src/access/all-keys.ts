import type { Clock } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import { BootstrapKeyVerifier } from './bootstrap-key-verifier.js';
import { anyOfVerifiers, type KeyVerifier } from './principal.js';
import { RegistryKeyVerifier } from './registry-key-verifier.js';

/**
 * Knows every key there is: the bootstrap key by itself, so that it works while nothing else does, and those of the registry by asking
 * it. Ends with the broker's connection.
 */
export function allKeys(bootstrapKey: string, broker: Pick<Broker, 'request' | 'serve'>, clock: Clock): KeyVerifier {
  return anyOfVerifiers(new BootstrapKeyVerifier(bootstrapKey), new RegistryKeyVerifier(broker, clock).start());
}
