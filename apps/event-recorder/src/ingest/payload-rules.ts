import { EVENT_CATALOGUE, faultsOf } from '@tocsin/contracts';
import type { EventToAppend, Fault } from '@tocsin/domain';

/** Names below it are Tocsin's own. */
const CATALOGUE_PREFIX = 'io.tocsin.';

/**
 * Faults of an event under one of Tocsin's own names, by the catalogue; pointers start at the event. What stands under a producer's own
 * name is not looked into.
 */
export function payloadFaults(event: Pick<EventToAppend, 'type' | 'data'>): Fault[] {
  if (!event.type.startsWith(CATALOGUE_PREFIX)) return [];
  const entry = EVENT_CATALOGUE.get(event.type);
  if (entry === undefined) {
    const detail = `"${event.type}" is not in the catalogue; types of your own begin with a domain of your own, such as com.example.`;
    return [{ pointer: '/type', detail }];
  }
  const result = entry.schema.safeParse(event.data);
  if (result.success) return [];
  return faultsOf(result.error).map((fault) => ({ ...fault, pointer: `/data${fault.pointer}` }));
}
