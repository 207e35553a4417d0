import { bytesArray, textArray, timeArray } from './binary-array.js';
import type { PreparedEvent } from './prepared-append.js';

/**
 * What was said, a parameter per column: id, source, subject, type, time, datacontenttype, dataschema, extensions, data, content hash,
 * webhook key.
 * @param json type of the two columns of JSON
 */
export function eventColumns(events: readonly PreparedEvent[], json: 'text' | 'json'): Buffer[] {
  return [
    textArray(events.map((event) => event.id)),
    textArray(events.map((event) => event.source)),
    textArray(events.map((event) => event.subject)),
    textArray(events.map((event) => event.type)),
    timeArray(events.map((event) => event.timeMs)),
    textArray(events.map((event) => event.datacontenttype)),
    textArray(events.map((event) => event.dataschema)),
    textArray(
      events.map((event) => event.extensions),
      json,
    ),
    textArray(
      events.map((event) => event.data),
      json,
    ),
    bytesArray(events.map((event) => event.contentHash)),
    bytesArray(events.map((event) => event.webhookKey)),
  ];
}
