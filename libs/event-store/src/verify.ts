import { TocsinError, type ExtensionValue, type JsonValue } from '@tocsin/domain';
import type { Queryable } from '@tocsin/postgres';
import { contentHash, leafHash } from './leaf-hash.js';
import { EVENT_COLUMNS, type EventRow } from './event-row.js';

/** Stands for JSON that cannot be parsed. */
const BROKEN = Symbol('broken');

/** Rows a page: big enough to keep the server busy, small enough for a few megabytes. */
const PAGE_EVENTS = 2_000;

/** What is wrong with the log. */
export interface Finding {
  /**
   * `gap`: positions are missing; `hash`: an event is not what was recorded, or not where; `text`: its JSON was respelled; `version`: a
   * subject's versions are not 1, 2, 3 …; `time`: recording times run backward; `key`: an event and its key disagree; `subject-head`, `head`:
   * a head disagrees with the events.
   */
  kind: 'gap' | 'hash' | 'text' | 'version' | 'time' | 'key' | 'subject-head' | 'head';
  /** First position concerned, where there is one. */
  position?: number;
  subject?: string;
  /** One sentence for people. */
  detail: string;
}

/** How far the proof has come. */
export interface VerifyProgress {
  /** Everything from `first` to here has been checked. */
  position: number;
  /** First position that has not been detached. */
  first: number;
  /** Head when the proof began; it ends there. */
  head: number;
  /** What was found since the last step. */
  findings: Finding[];
}

type LeafRow = EventRow & {
  leaf_hash: Buffer;
  key_position: number | null;
  key_version: number | null;
  key_recorded_at: string | null;
  key_hash: Buffer | null;
};

/** Indexes: event_pkey, event_key_pkey. */
const LEAVES = `
SELECT ${EVENT_COLUMNS}, e.leaf_hash, k.position AS key_position, k.version AS key_version, k.recorded_at AS key_recorded_at,
       k.content_hash AS key_hash
  FROM log.event e LEFT JOIN log.event_key k ON k.id = e.id AND k.source = e.source
 WHERE e.position > $1 AND e.position <= $2
 ORDER BY e.position LIMIT $3`;

/** One snapshot. Index: event_pkey. */
const BOUNDS = `
SELECT log.first_position() AS first, h.position AS head, (SELECT max(position) FROM log.event) AS last FROM log.head h`;

/** Index: subject_head_pkey. */
const SUBJECT_HEADS = `
SELECT subject, version, position FROM log.subject_head WHERE subject > $1 COLLATE "C" ORDER BY subject LIMIT $2`;

const ORPHANS = `SELECT count(*) AS keys FROM log.event_key WHERE position <= $1`;

/**
 * Proves the log from its first attached position to its head: gapless, versions contiguous, hashes right, keys and heads in agreement.
 * Yields after every page; a log with nothing wrong yields no findings. Appends may go on meanwhile.
 *
 * It detects what was changed behind the log's back, not a log that was rewritten as a whole with every hash made anew.
 * @throws TocsinError `TCN_UNAVAILABLE`; the signal's reason when aborted
 */
export async function* verifyLog(
  database: Queryable,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<VerifyProgress, void, void> {
  const [bounds] = await database.query<{ first: number; head: number; last: number | null }>(BOUNDS);
  if (bounds === undefined) throw new TocsinError('TCN_LOG_DAMAGED', 'log.head has no row');
  const { first, head, last } = bounds;
  const versions = new Map<string, { version: number; position: number }>();
  let position = first - 1;
  let recordedAt = '';
  while (position < head) {
    options.signal?.throwIfAborted();
    const rows = await database.query<LeafRow>(LEAVES, [position, head, PAGE_EVENTS]);
    const findings: Finding[] = [];
    for (const row of rows) {
      if (row.position !== position + 1) findings.push(gap(position + 1, row.position - 1));
      position = row.position;
      findings.push(...checkLeaf(row), ...checkKey(row), ...checkVersion(row, versions.get(row.subject), first));
      if (row.recorded_at < recordedAt) {
        findings.push({
          kind: 'time',
          position,
          detail: `event ${position} was recorded before the one that precedes it`,
        });
      }
      recordedAt = row.recorded_at;
      versions.set(row.subject, { version: row.version, position });
    }
    if (rows.length < PAGE_EVENTS && position < head) {
      findings.push(gap(position + 1, head));
      position = head;
    }
    yield { position, first, head, findings };
  }
  for await (const findings of checkSubjectHeads(database, versions, first, head)) {
    options.signal?.throwIfAborted();
    yield { position, first, head, findings };
  }
  const findings = await checkKeys(database, head);
  if (last !== null && last > head) {
    findings.push({ kind: 'head', position: last, detail: `the head says ${head}, and there is an event ${last}` });
  }
  yield { position, first, head, findings };
}

function checkLeaf(row: LeafRow): Finding[] {
  const { id, source, type, subject, time, position } = row;
  const extensions = parse(row.extensions);
  const data = row.data === null ? undefined : parse(row.data);
  const recordedAtMs = Date.parse(row.recorded_at);
  const unreadable = extensions === BROKEN || data === BROKEN || Number.isNaN(recordedAtMs);
  const content = unreadable
    ? undefined
    : contentHash({
        ...{ id, source, type, subject, time, data },
        extensions: extensions as Record<string, ExtensionValue>,
        datacontenttype: row.datacontenttype ?? undefined,
        dataschema: row.dataschema ?? undefined,
      });
  const findings: Finding[] = [];
  const place = { position, subject };
  if (
    content === undefined ||
    leafHash(content, position, row.version, recordedAtMs) !== row.leaf_hash.toString('hex')
  ) {
    findings.push({ kind: 'hash', ...place, detail: `event ${position} is not what was recorded at this place` });
  }
  if (row.key_hash !== null && row.key_hash.toString('hex') !== content) {
    findings.push({ kind: 'key', ...place, detail: `event ${position} is not what its key was recorded with` });
  }
  if (JSON.stringify(extensions) !== row.extensions || (row.data !== null && JSON.stringify(data) !== row.data)) {
    findings.push({ kind: 'text', ...place, detail: `the JSON of event ${position} was respelled` });
  }
  return findings;
}

/** Bytes that were changed on disk may not even be JSON any more. */
function parse(text: string): JsonValue | typeof BROKEN {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return BROKEN;
  }
}

function checkKey(row: LeafRow): Finding[] {
  const agrees =
    row.key_position === row.position && row.key_version === row.version && row.key_recorded_at === row.recorded_at;
  if (agrees) return [];
  const detail =
    row.key_position === null
      ? `event ${row.position} has no key: it could be recorded again`
      : `event ${row.position} and its key disagree about its place`;
  return [{ kind: 'key', position: row.position, subject: row.subject, detail }];
}

function checkVersion(row: LeafRow, before: { version: number } | undefined, first: number): Finding[] {
  // Where older partitions were detached, a subject's first versions are gone with them.
  if (before === undefined && first > 1) return [];
  const expected = (before?.version ?? 0) + 1;
  if (row.version === expected) return [];
  const detail = `event ${row.position} is version ${row.version} of "${row.subject}", and ${expected} is due`;
  return [{ kind: 'version', position: row.position, subject: row.subject, detail }];
}

async function* checkSubjectHeads(
  database: Queryable,
  versions: Map<string, { version: number; position: number }>,
  first: number,
  head: number,
): AsyncGenerator<Finding[], void, void> {
  let after = '';
  for (;;) {
    const rows = await database.query<{ subject: string; version: number; position: number }>(SUBJECT_HEADS, [
      after,
      PAGE_EVENTS,
    ]);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.subject;
    const findings: Finding[] = [];
    for (const { subject, version, position } of rows) {
      const seen = versions.get(subject);
      versions.delete(subject);
      // It has moved on since the proof began, or its events were detached.
      if (position > head || (seen === undefined && position < first)) continue;
      if (seen?.version === version && seen.position === position) continue;
      const found =
        seen === undefined ? 'it has no events' : `its last event is ${seen.position}, version ${seen.version}`;
      findings.push({
        ...{ kind: 'subject-head', position, subject },
        detail: `the head of "${subject}" says ${position}, version ${version}; ${found}`,
      });
    }
    yield findings;
  }
  yield [...versions].map(([subject, { position }]) => ({
    ...{ kind: 'subject-head', position, subject },
    detail: `"${subject}" has events and no head`,
  }));
}

/** Every event has had its key checked; a key too many would answer an event that was never recorded as a repeat. */
async function checkKeys(database: Queryable, head: number): Promise<Finding[]> {
  const [row] = await database.query<{ keys: number }>(ORPHANS, [head]);
  if (row === undefined || row.keys === head) return [];
  return [{ kind: 'key', detail: `${row.keys} keys for ${head} events` }];
}

function gap(from: number, to: number): Finding {
  const which = from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`;
  return { kind: 'gap', position: from, detail: which };
}
