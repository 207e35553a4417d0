import { isWithheld, type RecordedEvent } from '@tocsin/domain';
import type { EventName } from './story.js';

/** An event, named. */
export function eventName(event: RecordedEvent): EventName {
  const { position, id, type, subject, time, recordedAt } = event;
  const reason = field(event, 'reason');
  return {
    ...{ position, id, type, subject, time, recordedAt },
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(isWithheld(event) ? { withheld: true as const } : {}),
  };
}

/** A field of the event's payload; undefined where that is no object. */
export function field({ data }: Pick<RecordedEvent, 'data'>, name: string): unknown {
  return data !== null && typeof data === 'object' && !Array.isArray(data) ? data[name] : undefined;
}
