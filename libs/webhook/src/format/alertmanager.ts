import { eventLabels, type RecordedEvent, webhookId } from '@tocsin/domain';
import type { Notice } from './notice.js';

/**
 * An alert that nobody repeats would resolve itself after Alertmanager's `resolve_timeout` (5 min), so its end is set ahead: it
 * lasts until the recovery is told, and at most this long should that get lost on Alertmanager's side. Milliseconds.
 */
const OPEN_MS = 7 * 86_400_000;

/**
 * Body for `POST /api/v2/alerts` (https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml): an alert is its
 * labels, so the event that closes one carries the same and an end.
 */
export function alertmanagerBody(notice: Notice, event: RecordedEvent): object[] {
  const closing = notice.action === 'close';
  const started = closing ? startOf(event) : event.time;
  return [
    {
      labels: {
        ...Object.fromEntries(Object.entries(eventLabels(event)).map(([name, value]) => [labelName(name), value])),
        alertname: alertName(event, notice),
        subject: event.subject,
        // Of the trouble, also at its end: the labels must be the same at both.
        severity: notice.openingLevel,
      },
      annotations: {
        summary: notice.title,
        ...(notice.text === '' ? {} : { description: notice.text }),
        event: webhookId(event),
      },
      ...(started === undefined ? {} : { startsAt: started }),
      endsAt: closing ? event.time : new Date(Date.parse(event.time) + OPEN_MS).toISOString(),
    },
  ];
}

/** Path of the API below the configured base. */
export function alertmanagerUrl(base: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/*$/, '')}/api/v2/alerts`;
  return url.href;
}

/** Named after the trouble, not after its end: `io.tocsin.node.online` of an outage is `TocsinNodeOffline` as well. */
function alertName(event: RecordedEvent, notice: Notice): string {
  const segments = event.type.split('.');
  const words = event.type.startsWith('io.tocsin.') ? ['tocsin', ...segments.slice(2, -1), notice.opens] : segments;
  return words
    .flatMap((segment) => segment.split(/[^A-Za-z0-9]+/))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function startOf(event: RecordedEvent): string | undefined {
  const data = event.data;
  const downMs = typeof data === 'object' && data !== null && !Array.isArray(data) ? data['downMs'] : undefined;
  return typeof downMs === 'number' ? new Date(Date.parse(event.time) - downMs).toISOString() : undefined;
}

/** Prometheus label names: letters, digits and `_`, not starting with a digit. */
function labelName(name: string): string {
  const clean = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return /^\d/.test(clean) ? `_${clean}` : clean;
}
