import { cell } from '../command-line/output.js';
import { paintState } from '../command-line/paint.js';
import { ageText, labelsText } from '../command-line/table.js';

/** A declared thing as the API gives it. */
export type DeclaredThing = Readonly<Record<string, unknown>> & { name: string };

/** One kind of declared things: where the API has it, and how a table shows it. */
export interface DeclaredKind {
  /** As commands and paths of the API call it: `targets`. */
  plural: string;
  singular: string;
  /** As plans and events call it; default as `singular`. */
  subject?: string;
  columns: readonly string[];
  /** Cells of a row. `nowMs`: for ages. */
  cells: (thing: DeclaredThing, nowMs: number) => string[];
  /** Has labels, so that a list can be selected by them. */
  labelled: boolean;
  /** The API gives the list in one piece and takes no question with it. Default: in pages. */
  plain?: true;
  /** What deleting means, for the help. */
  deleting: string;
  examples: { get: readonly string[]; delete: readonly string[] };
}

const time = (value: unknown) => (typeof value === 'string' ? value : undefined);
const labels = (thing: DeclaredThing) => cell(labelsText(thing['labels'] as Record<string, string> | undefined));

/** `targets`. */
export const TARGETS: DeclaredKind = {
  plural: 'targets',
  singular: 'target',
  columns: ['NAME', 'KIND', 'STATE', 'SINCE', 'CHECK', 'LABELS'],
  labelled: true,
  deleting: 'stop watching targets',
  examples: {
    get: [
      'tocsin get targets',
      'tocsin get targets -l site=fra,role=edge',
      'tocsin get targets edge-fra-17',
      'tocsin get targets --json | jq -r \'.[] | select(.state == "down") | .name\'',
    ],
    delete: ['tocsin delete targets edge-fra-17 edge-fra-18', 'tocsin delete targets edge-fra-17 --ignore-not-found'],
  },
  cells: (thing, nowMs) => [
    cell(thing.name),
    cell(thing['kind']),
    paintState(cell(thing['state'])),
    ageText(time(thing['stateSince']), nowMs),
    checkText(thing['check']),
    labels(thing),
  ],
};

/** `subscriptions`. */
export const SUBSCRIPTIONS: DeclaredKind = {
  plural: 'subscriptions',
  singular: 'subscription',
  columns: ['NAME', 'STATE', 'KIND', 'DESTINATION', 'TYPES', 'LABELS'],
  labelled: true,
  deleting: 'stop telling subscribers, and erase their secrets',
  examples: {
    get: ['tocsin get subscriptions', 'tocsin get subscriptions on-call', 'tocsin get subscriptions --json'],
    delete: ['tocsin delete subscriptions on-call'],
  },
  cells: (thing) => {
    const { kind, url } = (thing['destination'] ?? {}) as { kind?: unknown; url?: unknown };
    const types = thing['types'];
    const { reason } = (thing['disabled'] ?? {}) as { reason?: unknown };
    return [
      cell(thing.name),
      paintState(thing['paused'] === true ? 'paused' : cell(thing['state'])) +
        (reason === undefined ? '' : ` (${cell(reason)})`),
      cell(kind),
      cell(url),
      cell(Array.isArray(types) ? types.join(',') : types),
      labels(thing),
    ];
  },
};

/** `keys`. */
export const KEYS: DeclaredKind = {
  plural: 'keys',
  singular: 'key',
  columns: ['NAME', 'ROLE', 'KEY', 'LAST USED', 'EXPIRES', 'DESCRIPTION'],
  labelled: false,
  deleting: 'revoke API keys: within seconds they are refused everywhere',
  examples: { get: ['tocsin get keys', 'tocsin get keys ci --json'], delete: ['tocsin delete keys ci'] },
  cells: (thing, nowMs) => {
    const used = time(thing['lastUsedAt']);
    return [
      cell(thing.name),
      cell(thing['role']),
      cell(typeof thing['keyId'] === 'string' ? `tcn_${thing['keyId']}_…` : undefined),
      used === undefined ? 'never' : `${ageText(used, nowMs)} ago`,
      cell(thing['expiresAt']),
      cell(thing['description']),
    ];
  },
};

/** `maintenance`. */
export const MAINTENANCE: DeclaredKind = {
  plural: 'maintenance',
  singular: 'window',
  subject: 'maintenance',
  columns: ['NAME', 'NOW', 'START', 'END', 'AGAIN', 'TARGETS', 'REASON'],
  labelled: false,
  plain: true,
  deleting: 'delete maintenance windows; one that lasts ends at once',
  examples: {
    get: ['tocsin get maintenance', 'tocsin get maintenance night --json'],
    delete: ['tocsin delete maintenance night'],
  },
  cells: (thing) => {
    const spec = (thing['spec'] ?? {}) as { rrule?: unknown; selector?: Record<string, string>; reason?: unknown };
    const next = (thing['next'] ?? {}) as { start?: unknown; end?: unknown };
    const targets = labelsText(spec.selector);
    return [
      cell(thing.name),
      thing['active'] === true ? 'yes' : 'no',
      cell(next.start),
      cell(next.end),
      cell(spec.rrule),
      targets === '' ? 'all' : cell(targets),
      cell(spec.reason),
    ];
  },
};

/** What `get` and `delete` know. */
export const DECLARED_KINDS: readonly DeclaredKind[] = [TARGETS, SUBSCRIPTIONS, MAINTENANCE, KEYS];

function checkText(check: unknown): string {
  if (typeof check !== 'object' || check === null) return '-';
  const { type, url, host, port, name, interval } = check as Record<string, string | number | undefined>;
  const where = url ?? (host === undefined ? name : `${host}:${port}`);
  const parts = [type, where, interval === undefined ? undefined : `every ${interval}`];
  return cell(parts.filter((part) => part !== undefined).join(' '));
}
