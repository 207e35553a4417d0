import type { ExtensionValue, JsonValue, RecordedEvent } from '@tocsin/domain';

/** A row of log.event as `to_json` gives it. */
export interface EventJsonRow {
  position: number;
  version: number;
  time: string;
  recorded_at: string;
  id: string;
  source: string;
  subject: string;
  type: string;
  extensions: Record<string, ExtensionValue>;
  data: JsonValue;
}

/** The event of a row, without what only a hash needs. */
export function rowToEvent(row: EventJsonRow): RecordedEvent {
  return {
    id: row.id,
    source: row.source,
    type: row.type,
    subject: row.subject,
    time: new Date(row.time).toISOString(),
    position: row.position,
    version: row.version,
    recordedAt: new Date(row.recorded_at).toISOString(),
    extensions: row.extensions,
    data: row.data,
  };
}
