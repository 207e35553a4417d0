import { type RecordedEvent, webhookId } from '@tocsin/domain';
import { cut, detailsOf, type Notice } from './notice.js';

const SEVERITIES = { critical: 'critical', warning: 'warning', info: 'info', resolved: 'info' } as const;

/**
 * Body for the Events API v2 (https://developer.pagerduty.com/docs/send-alert-event): what opens a trouble triggers, what closes it
 * resolves the same `dedup_key`. News that nobody has to act on triggers an `info` alert of its own.
 */
export function pagerdutyBody(notice: Notice, event: RecordedEvent, routingKey: string): object {
  const dedupKey = cut(notice.dedupKey, 255);
  if (notice.action === 'close') return { routing_key: routingKey, event_action: 'resolve', dedup_key: dedupKey };
  return {
    routing_key: routingKey,
    event_action: 'trigger',
    dedup_key: notice.action === 'open' ? dedupKey : webhookId(event),
    client: 'Tocsin',
    payload: {
      summary: cut(notice.text === '' ? notice.title : `${notice.title}: ${notice.text}`, 1_024),
      source: notice.subject,
      severity: SEVERITIES[notice.level],
      timestamp: notice.time,
      component: notice.subject.slice(notice.subject.indexOf('/') + 1),
      class: event.type,
      custom_details: detailsOf(notice, event),
    },
  };
}
