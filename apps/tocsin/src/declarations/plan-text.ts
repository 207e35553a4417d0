import type { ApplyReply, ApplyRequest } from '@tocsin/contracts';
import type { JsonObject, JsonValue } from '@tocsin/domain';
import { paint } from '../command-line/paint.js';
import { labelsText, oneLine } from '../command-line/table.js';
import { changeText } from './diff.js';
import { type Plan, shown, wantedSpecs } from './plan.js';

/** Is there nothing to do? */
export function isEmpty(plan: Readonly<Record<'created' | 'updated' | 'deleted', readonly unknown[]>>): boolean {
  return plan.created.length + plan.updated.length + plan.deleted.length === 0;
}

/**
 * A plan for people.
 * @param request what was planned: what is created is described by it
 */
export function planLines(plan: Plan, request: ApplyRequest): string[] {
  const { created, updated, deleted, unchanged } = plan;
  if (isEmpty(plan)) return [`No changes: all ${unchanged.length} stand as declared.`];
  const wanted = wantedSpecs(request);
  return [
    ...created.map((subject) => {
      const what = oneLine(summaryOf(wanted.get(subject) ?? {}));
      return `${paint.green('+')} ${subject}${what === '' ? '' : `   ${paint.dim(what)}`}`;
    }),
    ...updated.flatMap(({ subject, changes }) => [
      `${paint.yellow('~')} ${subject}`,
      ...(changes.length === 0
        ? ['    a part that is not shown: a secret']
        : changes.map((change) => `    ${oneLine(changeText(change))}`)),
    ]),
    ...deleted.map((subject) => `${paint.red('-')} ${subject}`),
    '',
    countsText({ ...plan, updated: updated.map(({ subject }) => subject) }, true),
  ];
}

/** What was done, in one line. */
export function countsText(
  done: Pick<ApplyReply, 'created' | 'updated' | 'unchanged' | 'deleted'>,
  dryRun = false,
): string {
  const tense = dryRun ? 'would be ' : '';
  return [
    `${done.created.length} ${tense}created`,
    `${done.updated.length} ${tense}changed`,
    ...(done.deleted.length === 0 ? [] : [`${done.deleted.length} ${tense}deleted`]),
    `${done.unchanged.length} as before`,
  ].join(', ');
}

/** What a declaration is about, in a few words, without its secrets. */
function summaryOf(spec: JsonObject): string {
  const { kind, check, destination, types, start, end, rrule } = spec;
  const about =
    destination === undefined
      ? [word(kind), addressOf(check), word(start), word(rrule ?? end)]
      : [addressOf(shown(destination)), Array.isArray(types) ? types.map(word).join(', ') : ''];
  const labels = labelsText((spec['labels'] ?? spec['selector']) as Record<string, string> | undefined);
  return [...about, labels].filter((part) => part !== '').join('; ');
}

/** Of a check or a destination, its kind and where it goes. */
function addressOf(value: JsonValue | undefined): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '';
  const { type, kind, url, host, port, name } = value;
  const address = url ?? (host === undefined ? name : [word(host), word(port)].filter((part) => part !== '').join(':'));
  return [word(type ?? kind), word(address)].filter((part) => part !== '').join(' ');
}

function word(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
