import {
  eventLabels,
  formatDuration,
  type JsonObject,
  type JsonValue,
  type RecordedEvent,
  webhookId,
} from '@tocsin/domain';

/** How much an event matters to whoever reads it on a phone at night. `resolved` closes what an earlier one opened. */
export type NoticeLevel = 'critical' | 'warning' | 'info' | 'resolved';

/** An event in words: what every format for people is made of. Plain text, unescaped. */
export interface Notice {
  level: NoticeLevel;
  /** One line that stands alone in a notification: `DOWN node edge-fra-17`. */
  title: string;
  /** One sentence: what happened. May be empty. */
  text: string;
  /** Name and value pairs, the most useful first. */
  facts: readonly { name: string; value: string }[];
  /** What it is about, e.g. `node/edge-fra-17`. */
  subject: string;
  /** When it became true, RFC 3339. */
  time: string;
  /** The same for the event that opens a trouble and the one that closes it; for vendors that pair them. */
  dedupKey: string;
  /** Last segment of the type that opens this trouble: for a closing event that of the one it closes. */
  opens: string;
  /** How grave that one is. */
  openingLevel: Exclude<NoticeLevel, 'resolved'>;
  /** What a vendor with alerts does: `none` is news that nobody has to act on. */
  action: 'open' | 'close' | 'none';
}

interface FactWords {
  level: NoticeLevel;
  /** Head of the title. */
  word: string;
  /** The fact that this one closes. */
  closes?: string;
}

/** Last segment of the type → words. Facts that are missing here are told by their type, as news. */
const WORDS: Readonly<Record<string, FactWords>> = {
  offline: { level: 'critical', word: 'DOWN' },
  online: { level: 'resolved', word: 'UP', closes: 'offline' },
  degraded: { level: 'warning', word: 'DEGRADED' },
  restored: { level: 'resolved', word: 'RESTORED', closes: 'degraded' },
  unknown: { level: 'warning', word: 'UNKNOWN' },
  'heartbeat-lost': { level: 'warning', word: 'HEARTBEAT LOST' },
  'heartbeat-resumed': { level: 'resolved', word: 'HEARTBEAT RESUMED', closes: 'heartbeat-lost' },
  'flapping-started': { level: 'warning', word: 'FLAPPING' },
  'flapping-stopped': { level: 'resolved', word: 'STEADY AGAIN', closes: 'flapping-started' },
  'maintenance-started': { level: 'info', word: 'MAINTENANCE' },
  'maintenance-ended': { level: 'info', word: 'MAINTENANCE OVER' },
  expiring: { level: 'warning', word: 'EXPIRING' },
  expired: { level: 'critical', word: 'EXPIRED' },
  invalid: { level: 'critical', word: 'INVALID' },
  mismatched: { level: 'critical', word: 'MISMATCHED' },
  renewed: { level: 'resolved', word: 'RENEWED', closes: 'expiring' },
  failing: { level: 'critical', word: 'FAILING' },
  recovered: { level: 'resolved', word: 'RECOVERED', closes: 'failing' },
  outage: { level: 'critical', word: 'OUTAGE' },
  isolated: { level: 'warning', word: 'ISOLATED' },
  rejoined: { level: 'resolved', word: 'REJOINED', closes: 'isolated' },
  lost: { level: 'warning', word: 'LOST' },
  joined: { level: 'resolved', word: 'JOINED', closes: 'lost' },
  lagging: { level: 'warning', word: 'LAGGING' },
  ontime: { level: 'resolved', word: 'ON TIME', closes: 'lagging' },
  diverged: { level: 'warning', word: 'DIVERGED' },
  converged: { level: 'resolved', word: 'CONVERGED', closes: 'diverged' },
  stale: { level: 'warning', word: 'STALE' },
  fresh: { level: 'resolved', word: 'FRESH', closes: 'stale' },
  misconfigured: { level: 'warning', word: 'MISCONFIGURED' },
  gone: { level: 'warning', word: 'GONE' },
  disabled: { level: 'warning', word: 'DISABLED' },
  test: { level: 'info', word: 'TEST' },
  'auth-failing': { level: 'warning', word: 'AUTHENTICATION FAILING' },
  'auth-restored': { level: 'resolved', word: 'AUTHENTICATION RESTORED', closes: 'auth-failing' },
  'deploy-failed': { level: 'critical', word: 'DEPLOY FAILED' },
  deployed: { level: 'resolved', word: 'DEPLOYED', closes: 'deploy-failed' },
  'rolled-back': { level: 'warning', word: 'ROLLED BACK' },
  'sync-lagging': { level: 'warning', word: 'SYNC LAGGING' },
  'sync-caught-up': { level: 'resolved', word: 'SYNC CAUGHT UP', closes: 'sync-lagging' },
  missed: { level: 'critical', word: 'MISSED' },
  failed: { level: 'critical', word: 'FAILED' },
};

/** `cpu-high` and `cpu-normal`, `memory-…`, `disk-…`. */
const RESOURCE = /^(?<what>[a-z0-9]+)-(?<end>high|normal)$/;
const FACTS_SHOWN = 8;
const TEXT_CHARS = 2_000;

/** An event in words. */
export function noticeOf(event: RecordedEvent): Notice {
  const fact = event.type.slice(event.type.lastIndexOf('.') + 1);
  const words = event.type.startsWith('io.tocsin.') ? wordsOf(event.type, fact) : undefined;
  const data = objectOf(event.data);
  const opening = words?.closes ?? fact;
  const { episode } = event.extensions;
  return {
    level: words?.level ?? 'info',
    title: titleOf(event, words, data),
    text: textOf(data),
    facts: factsOf(event, data),
    subject: event.subject,
    time: event.time,
    dedupKey: typeof episode === 'string' && episode !== '' ? episode : `${event.subject}#${opening}`,
    opens: opening,
    openingLevel: levelOf(event.type, opening),
    action: actionOf(words),
  };
}

/** The facts as a flat object, with the event's key for whoever looks it up. */
export function detailsOf(notice: Notice, event: RecordedEvent): Record<string, string> {
  const facts = notice.facts.map(({ name, value }): [string, string] => [name, value]);
  return Object.fromEntries([...facts, ['Event', webhookId(event)]]);
}

function wordsOf(type: string, fact: string): FactWords | undefined {
  // A job that works again closes what failed or was missed; both are one trouble.
  if (type === 'io.tocsin.job.recovered') return { level: 'resolved', word: 'RECOVERED', closes: 'failed' };
  if (type === 'io.tocsin.group.recovered') return { level: 'resolved', word: 'RECOVERED', closes: 'outage' };
  const known = WORDS[fact];
  if (known !== undefined) return known;
  const resource = RESOURCE.exec(fact)?.groups;
  if (resource === undefined) return undefined;
  const { what = '', end = '' } = resource;
  const word = `${what} ${end}`.toUpperCase();
  return end === 'high' ? { level: 'warning', word } : { level: 'resolved', word, closes: `${what}-high` };
}

function levelOf(type: string, opening: string): Exclude<NoticeLevel, 'resolved'> {
  const level = type.startsWith('io.tocsin.') ? wordsOf('', opening)?.level : undefined;
  return level === undefined || level === 'resolved' ? 'info' : level;
}

function actionOf(words: FactWords | undefined): Notice['action'] {
  if (words === undefined || words.level === 'info') return 'none';
  return words.level === 'resolved' ? 'close' : 'open';
}

function titleOf(event: RecordedEvent, words: FactWords | undefined, data: JsonObject): string {
  const about = event.subject.replace('/', ' ');
  if (words === undefined) return `${event.type}: ${event.subject}`;
  const downMs = data['downMs'];
  const lasted = words.level === 'resolved' && typeof downMs === 'number' ? ` after ${readableDuration(downMs)}` : '';
  return `${words.word} ${about}${lasted}`;
}

function textOf(data: JsonObject): string {
  for (const name of ['reason', 'message', 'summary', 'description', 'detail']) {
    const value = data[name];
    if (typeof value === 'string' && value.trim() !== '') return cut(value.trim(), TEXT_CHARS);
  }
  return '';
}

function factsOf(event: RecordedEvent, data: JsonObject): { name: string; value: string }[] {
  const facts = [{ name: 'Since', value: readableTime(event.time) }];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') facts.push({ name, value: cut(value, 300) });
  };
  add('Labels', labelsOf(event));
  add('Confirmed by', votesOf(data));
  add('Members', Array.isArray(data['members']) ? membersOf(data['members']) : undefined);
  if (typeof data['downMs'] === 'number') add('Lasted', readableDuration(data['downMs']));
  if (typeof data['detectionMs'] === 'number') add('Detected within', readableDuration(data['detectionMs']));
  if (!event.type.startsWith('io.tocsin.')) add('Source', event.source);
  return facts.slice(0, FACTS_SHOWN);
}

function labelsOf(event: RecordedEvent): string {
  return Object.entries(eventLabels(event))
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function votesOf(data: JsonObject): string | undefined {
  const { fail, pass } = objectOf(data['votes']);
  if (typeof fail === 'number' && typeof pass === 'number') {
    const agreeing = data['to'] === 'up' ? pass : fail;
    return `${agreeing} of ${fail + pass} observers`;
  }
  return data['confidence'] === 'single' ? 'one observer alone' : undefined;
}

function membersOf(members: readonly JsonValue[]): string {
  const names = members.filter((member) => typeof member === 'string');
  const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
  return names.slice(0, 5).join(', ') + more;
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** `2026-01-02T03:04:05.678Z` → `2026-01-02 03:04:05 UTC`; what is no such time stays as it is. */
export function readableTime(time: string): string {
  const atMs = Date.parse(time);
  return Number.isNaN(atMs) ? time : `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** At most two units: `2d 3h`, `12m 5s`, `1.5s` becomes `1s`, `350ms`. */
export function readableDuration(ms: number): string {
  if (ms < 1_000) return formatDuration(Math.max(0, Math.round(ms)));
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ];
  let left = Math.floor(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.join(' ');
}

/** At most so many characters (UTF-16 units), the last one then `…`; never half a surrogate pair. */
export function cut(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const end = chars - 1;
  const half = /[\ud800-\udbff]/.test(text.charAt(end - 1));
  return `${text.slice(0, half ? end - 1 : end)}…`;
}
