import type { JsonValue, RecordedEvent } from '@tocsin/domain';

/** A recorded event with what a spec does not care about filled in. */
export function recorded(
  position: number,
  event: Partial<RecordedEvent> & { type: string; subject: string; data?: JsonValue },
): RecordedEvent {
  return {
    id: `evt_${position}`,
    source: 'tocsin/subscription-registry',
    time: `2030-01-01T00:00:${String(position).padStart(2, '0')}.000Z`,
    version: position,
    recordedAt: '2030-01-01T01:00:00.000Z',
    extensions: {},
    ...event,
    position,
  };
}
