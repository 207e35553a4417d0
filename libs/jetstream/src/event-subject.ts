import { createHash } from 'node:crypto';
import { JETSTREAM } from '@tocsin/contracts';
import { isWithheld, type EventToAppend } from '@tocsin/domain';
import { escapeToken } from './token.js';

const OWN_TYPE_PREFIX = 'io.tocsin.';
/** Characters that may stand in a token as they are; `.`, `*`, `>`, `%`, `~`, white space and everything beyond ASCII may not. */
const PLAIN = /^[A-Za-z0-9_:@/+=-]+$/;
/** nats-server takes at most 4096 bytes for a protocol line, which carries the reply subject too; names in use are far below. */
const MAX_TOKEN_CHARACTERS = 512;
const KEPT_CHARACTERS = 256;

/**
 * NATS subject an event is relayed under: `tocsin.events.node.offline.edge-fra-17` for `io.tocsin.node.offline` about
 * `node/edge-fra-17`. A type that is not Tocsin's own goes in whole, as its dot-separated segments; the last token is the event's
 * subject after its first `/` (all of it where there is none).
 *
 * What is withheld from everybody goes under `tocsin.withheld` instead of `tocsin.events`: it has to be in the stream, whose sequence is
 * the position, and nobody should take it for news.
 *
 * Characters that cannot stand in a token are escaped as `%XX` per byte of their UTF-8, so `edge.fra` becomes `edge%2Efra`; the
 * empty name is `%`. A token longer than 512 characters keeps its first 256 and ends in `~` and the SHA-256 of the whole (hex), the
 * one case that cannot be reversed. Subjects are for filtering: what an event is, its payload says (`type`, `source`, `subject`).
 */
export function eventSubject(
  event: Pick<EventToAppend, 'type' | 'subject'> & Partial<Pick<EventToAppend, 'source' | 'extensions'>>,
): string {
  const type = event.type.startsWith(OWN_TYPE_PREFIX) ? event.type.slice(OWN_TYPE_PREFIX.length) : event.type;
  const name = event.subject.slice(event.subject.indexOf('/') + 1);
  const prefix = isWithheld(event) ? JETSTREAM.withheldPrefix : JETSTREAM.eventsPrefix;
  return [prefix, ...type.split('.').map(token), token(name)].join('.');
}

function token(text: string): string {
  const escaped = escapeToken(text, '%', PLAIN);
  if (escaped.length <= MAX_TOKEN_CHARACTERS) return escaped;
  return `${escaped.slice(0, KEPT_CHARACTERS)}~${createHash('sha256').update(text).digest('hex')}`;
}
