import { JETSTREAM } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { eventSubject } from './event-subject.js';

const EVERYTHING = `${JETSTREAM.eventsPrefix}.>`;
const PATTERN = /^(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*$/;

/**
 * Subject filters of a consumer that wants these types (patterns as subscriptions have them) about this subject. They never leave out
 * an event that is wanted, but may let others pass: two types can share a NATS subject, and a subject alone cannot be filtered for. So
 * look at the event, too.
 * @throws TocsinError `TCN_INVALID` if a pattern is none
 */
export function eventFilters(wanted: {
  types?: readonly string[] | undefined;
  subject?: string | undefined;
  /** Also what is told to nobody. Default: only what subscribers are told. */
  withheld?: boolean | undefined;
}): string[] {
  const name = wanted.subject === undefined ? '*' : lastToken(wanted.subject);
  const filters = [...new Set((wanted.types ?? ['*']).map((pattern) => filterOf(pattern, name)))];
  // The server refuses filters one of which covers another.
  const apart = filters.filter((filter) => !filters.some((other) => other !== filter && covers(other, filter)));
  const withheld = apart.map((filter) => JETSTREAM.withheldPrefix + filter.slice(JETSTREAM.eventsPrefix.length));
  return wanted.withheld === true ? [...apart, ...withheld] : apart;
}

function filterOf(pattern: string, name: string): string {
  if (!PATTERN.test(pattern)) {
    const detail = `"${pattern}" must be dot-separated segments; "*" stands for one segment or, as the last, for all that follow`;
    throw new TocsinError('TCN_INVALID', `event type ${detail}`);
  }
  const [first = '', second = '', ...rest] = pattern.split('.');
  const own = first === 'io' && second === 'tocsin';
  // Such a pattern takes in Tocsin's own types, which leave `io.tocsin` out of their subjects, and others, which are there in full.
  const both = !own && (first === '*' || first === 'io') && (second === '*' || second === 'tocsin' || second === '');
  const segments = own ? rest : pattern.split('.');
  if (both || segments.length === 0) return EVERYTHING;
  const tail = segments.at(-1) === '*' ? [...segments.slice(0, -1), '>'] : [...segments, name];
  return [JETSTREAM.eventsPrefix, ...tail].join('.');
}

function lastToken(subject: string): string {
  const full = eventSubject({ type: 'x', subject });
  return full.slice(full.lastIndexOf('.') + 1);
}

/** Does every subject that matches `narrow` match `wide`? */
function covers(wide: string, narrow: string): boolean {
  const one = wide.split('.');
  const other = narrow.split('.');
  for (const [index, token] of one.entries()) {
    if (token === '>') return index < other.length;
    const against = other[index];
    if (against === undefined || against === '>') return false;
    if (token !== '*' && token !== against) return false;
  }
  return one.length === other.length;
}
