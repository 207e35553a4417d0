import type { ExtensionValue, JsonValue, RecordedEvent } from '@tocsin/domain';

/**
 * The columns of an event. `data` and `extensions` are read as text and parsed here: the driver would make null of both a JSON null and
 * no data at all.
 */
export const EVENT_COLUMNS = `
  e.position, e.version, e.time, e.recorded_at, e.id, e.source, e.subject, e.type, e.datacontenttype, e.dataschema,
  e.extensions::text AS extensions, e.data::text AS data`;

/** A row of {@link EVENT_COLUMNS}. */
export interface EventRow {
  position: number;
  version: number;
  time: string;
  recorded_at: string;
  id: string;
  source: string;
  subject: string;
  type: string;
  datacontenttype: string | null;
  dataschema: string | null;
  extensions: string;
  data: string | null;
}

/** The event of a row, as it was written. */
export function toRecordedEvent(row: EventRow): RecordedEvent {
  return {
    id: row.id,
    source: row.source,
    type: row.type,
    subject: row.subject,
    time: row.time,
    position: row.position,
    version: row.version,
    recordedAt: row.recorded_at,
    extensions: JSON.parse(row.extensions) as Record<string, ExtensionValue>,
    ...(row.datacontenttype === null ? {} : { datacontenttype: row.datacontenttype }),
    ...(row.dataschema === null ? {} : { dataschema: row.dataschema }),
    ...(row.data === null ? {} : { data: JSON.parse(row.data) as JsonValue }),
  };
}
