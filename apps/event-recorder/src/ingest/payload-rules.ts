import { faultsOf, healthEventDataSchema, targetKindSchema } from '@tocsin/contracts';
import type { EventToAppend, Fault } from '@tocsin/domain';

/** Facts about any kind of target whose payload is a HealthEventData. */
const HEALTH_FACTS = new Set(['offline', 'online', 'degraded', 'restored', 'unknown']);

const CATALOGUE_PREFIX = 'io.tocsin.';

/**
 * Faults of the payload of a catalogue type (POLICY.md § 3); pointers start at the event. A type of the producer's own name is not
 * looked into, and a catalogue type without a schema takes any object.
 */
export function payloadFaults(event: Pick<EventToAppend, 'type' | 'data'>): Fault[] {
  if (!event.type.startsWith(CATALOGUE_PREFIX)) return [];
  const [kind, fact, ...rest] = event.type.slice(CATALOGUE_PREFIX.length).split('.');
  const isHealth =
    rest.length === 0 && targetKindSchema.safeParse(kind).success && fact !== undefined && HEALTH_FACTS.has(fact);
  if (isHealth) {
    const result = healthEventDataSchema.safeParse(event.data);
    if (result.success) return [];
    return faultsOf(result.error).map((fault) => ({ ...fault, pointer: `/data${fault.pointer}` }));
  }
  const { data } = event;
  if (data === undefined || (data !== null && typeof data === 'object' && !Array.isArray(data))) return [];
  return [{ pointer: '/data', detail: `must be an object in events of type ${event.type}` }];
}
