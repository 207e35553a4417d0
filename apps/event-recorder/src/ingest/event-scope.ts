import { jsonPointer } from '@tocsin/contracts';
import { eventLabels, type EventToAppend, type Fault, TocsinError } from '@tocsin/domain';
import { type Scope, scopeText } from '@tocsin/platform';

/**
 * Refuses events that do not carry the labels a key is limited to: whoever reads with it would not find them again.
 * @throws TocsinError `TCN_FORBIDDEN` with faults that point into the append request
 */
export function requireScope(admitted: readonly { readonly event: EventToAppend }[], scope: Scope): void {
  const faults = admitted.flatMap(({ event }, index) => {
    const labels = eventLabels(event);
    return Object.entries(scope)
      .filter(([name, value]) => labels[name] !== value)
      .map(([name, value]): Fault => ({
        pointer: `/events/${index}/data/labels${jsonPointer([name])}`,
        detail: `must be ${JSON.stringify(value)}: this key is for ${scopeText(scope)} only`,
      }));
  });
  if (faults.length > 0) throw new TocsinError('TCN_FORBIDDEN', 'outside of what this key is for', { faults });
}
