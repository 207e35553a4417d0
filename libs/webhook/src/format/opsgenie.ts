import type { DestinationOf } from '@tocsin/contracts';
import { type RecordedEvent, webhookId } from '@tocsin/domain';
import { cut, detailsOf, type Notice } from './notice.js';

const PRIORITIES = { critical: 'P1', warning: 'P3', info: 'P5', resolved: 'P5' } as const;

/**
 * Request for the Alert API (https://docs.opsgenie.com/docs/alert-api): create by alias, close by the same alias. Opsgenie counts
 * repeats of an alias, so a retry makes no second alert.
 */
export function opsgenieRequest(
  destination: DestinationOf<'opsgenie'>,
  notice: Notice,
  event: RecordedEvent,
): { url: string; authorization: string; body: object } {
  const alias = cut(notice.action === 'none' ? webhookId(event) : notice.dedupKey, 512);
  const base = new URL(destination.url);
  const path = notice.action === 'close' ? `v2/alerts/${encodeURIComponent(alias)}/close` : 'v2/alerts';
  const url = new URL(`${base.pathname.replace(/\/*$/, '/')}${path}`, base);
  if (notice.action === 'close') url.searchParams.set('identifierType', 'alias');
  return {
    url: url.href,
    authorization: `GenieKey ${destination.apiKey}`,
    body: notice.action === 'close' ? closing(notice) : creating(destination, notice, event, alias),
  };
}

function closing(notice: Notice): object {
  const note = notice.text === '' ? notice.title : `${notice.title}: ${notice.text}`;
  return { source: 'Tocsin', user: 'Tocsin', note: cut(note, 25_000) };
}

function creating(destination: DestinationOf<'opsgenie'>, notice: Notice, event: RecordedEvent, alias: string): object {
  return {
    message: cut(notice.title, 130),
    alias,
    description: cut(notice.text === '' ? notice.title : notice.text, 15_000),
    entity: cut(notice.subject, 512),
    source: 'Tocsin',
    priority: PRIORITIES[notice.level],
    ...(destination.tags === undefined ? {} : { tags: destination.tags }),
    details: detailsOf(notice, event),
  };
}
