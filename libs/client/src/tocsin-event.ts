import type { EventData } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';

/**
 * An event of one of some types. Where a type stands in the catalogue, the compiler knows the payload. That is what its producer has
 * to write, not checked again here: `isEventOf` of `@tocsin/contracts` checks.
 */
export type TocsinEvent<Type extends string = string> = string extends Type
  ? RecordedEvent
  : Type extends `${string}*${string}`
    ? RecordedEvent
    : Omit<RecordedEvent, 'type' | 'data'> & { type: Type; data: EventData<Type> };
