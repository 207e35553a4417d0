import {
  MAINTENANCE_EVENTS,
  maintenanceDeclaredSchema,
  maintenanceSpans,
  REGISTRY_EVENTS,
  targetDeclaredSchema,
  targetSubject,
} from '@tocsin/contracts';
import { eventLabels, isWithheld, labelsMatch, type RecordedEvent, WITHHELD } from '@tocsin/domain';
import type { LogSource } from '../match/log-source.js';
import { eventName, field } from './event-name.js';
import type { Suppression } from './story.js';

/** Declarations of windows that are looked through, the newest first. */
const MOST_WINDOWS = 1_000;

const DECLARED = [REGISTRY_EVENTS.targetRegistered, REGISTRY_EVENTS.targetUpdated];

type Log = Pick<LogSource, 'before' | 'get'>;

/**
 * What kept an event from everybody, named: which maintenance window, which parent, which group. The mark on the event decides what it
 * was; the log as it stood then says which.
 * @throws TocsinError as {@link LogSource.read}
 */
export async function suppressionsOf(event: RecordedEvent, log: Log): Promise<Suppression[]> {
  if (!isWithheld(event)) return [];
  const marks = String(event.extensions[WITHHELD]).split(',');
  return Promise.all(marks.map((mark) => suppression(mark, event, log)));
}

function suppression(mark: string, event: RecordedEvent, log: Log): Promise<Suppression> {
  switch (mark) {
    case 'maintenance':
      return byMaintenance(event, log);
    case 'flapping':
      return byFlapping(event, log);
    case 'unreachable':
      return byParent(event, log);
    case 'storm':
      return byGroup(event, log);
    case 'first': {
      const text = 'kept back: the first of its subject, recorded so that later ones can be compared with it';
      return Promise.resolve({ by: 'first', text });
    }
    default: {
      const text = 'kept back: the target came back to the state that was told before anybody was told otherwise';
      return Promise.resolve({ by: 'superseded', text });
    }
  }
}

async function byMaintenance(event: RecordedEvent, log: Log): Promise<Suppression> {
  const declarations = await log.before({
    before: event.position,
    types: Object.values(MAINTENANCE_EVENTS),
    limit: MOST_WINDOWS,
  });
  const seen = new Set<string>();
  const atMs = Date.parse(event.recordedAt);
  for (const declared of declarations) {
    if (seen.has(declared.subject)) continue;
    seen.add(declared.subject);
    const window = maintenanceDeclaredSchema.safeParse(declared.data).data;
    if (window === undefined || !coversLabels(window.spec.selector, event)) continue;
    const [span] = maintenanceSpans(window.spec, atMs, atMs + 1);
    if (span === undefined) continue;
    const [start, end] = [span.startMs, span.endMs].map((ms) => new Date(ms).toISOString());
    const why = window.spec.reason === undefined ? '' : ` (${window.spec.reason})`;
    const text = `kept back by maintenance "${window.name}" from ${start} to ${end}${why}`;
    return { by: 'maintenance', text, event: eventName(declared) };
  }
  return { by: 'maintenance', text: 'kept back by a maintenance window that is not in the log as it stood then' };
}

function coversLabels(selector: Readonly<Record<string, string>>, event: RecordedEvent): boolean {
  // The event itself is withheld: only its labels are of interest here.
  return labelsMatch(selector, { data: { labels: eventLabels(event) } });
}

async function byFlapping(event: RecordedEvent, log: Log): Promise<Suppression> {
  const kind = event.subject.slice(0, event.subject.indexOf('/'));
  const types = [`io.tocsin.${kind}.flapping-started`];
  const [started] = await log.before({ before: event.position, subject: event.subject, types, limit: 1 });
  const since = started === undefined ? '' : `, which was told at ${started.time}`;
  const text = `kept back because the target flaps${since}; the state it comes to is told when it has settled`;
  return { by: 'flapping', text, ...(started === undefined ? {} : { event: eventName(started) }) };
}

async function byParent(event: RecordedEvent, log: Log): Promise<Suppression> {
  const name = event.subject.slice(event.subject.indexOf('/') + 1);
  const child = await declarationOf(name, event.position, log);
  const parent = child?.spec.parent;
  if (parent === undefined)
    return { by: 'unreachable', text: 'kept back because what stands before the target is down' };
  const declared = await declarationOf(parent, event.position, log);
  const [newest] =
    declared === undefined
      ? []
      : await log.before({ before: event.position, subject: targetSubject(declared.spec.kind, parent), limit: 1 });
  const text = `kept back because its parent "${parent}" could not be reached either: the parent is told, not what stands behind it`;
  return { by: 'unreachable', text, ...(newest === undefined ? {} : { event: eventName(newest) }) };
}

async function declarationOf(name: string, before: number, log: Log) {
  const [declared] = await log.before({ before, subject: `target/${name}`, types: DECLARED, limit: 1 });
  return targetDeclaredSchema.safeParse(declared?.data).data;
}

async function byGroup(event: RecordedEvent, log: Log): Promise<Suppression> {
  const cause = event.extensions['causedby'];
  const outage = typeof cause === 'string' ? await log.get(cause) : undefined;
  if (outage === undefined) return { by: 'storm', text: 'kept back because most of its group failed together' };
  const group = field(outage, 'group');
  const text = `kept back because most of ${typeof group === 'string' ? group : outage.subject} failed together: one event tells of all, at position ${outage.position}`;
  return { by: 'storm', text, event: eventName(outage) };
}
