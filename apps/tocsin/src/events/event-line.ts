import { cell } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';

/** An event as the API gives it; producers' own may lack what ours have. */
export interface ShownEvent {
  id: string;
  position: number;
  type: string;
  subject?: string;
  source: string;
  time?: string;
  episode?: string;
  data?: unknown;
}

const BAD = ['offline', 'degraded', 'expired', 'failing', 'outage', 'isolated', 'gone', 'disabled'];
const GOOD = ['online', 'restored', 'renewed', 'recovered', 'rejoined'];

/** Cells of a table of events. */
export const EVENT_COLUMNS = ['POSITION', 'TIME', 'TYPE', 'SUBJECT', 'WHAT'];

/** An event as cells of a row under {@link EVENT_COLUMNS}. */
export function eventCells(event: ShownEvent): string[] {
  return [String(event.position), cell(event.time), typeCell(event.type), cell(event.subject), whatOf(event)];
}

/** An event as one line of a list that has no end, where no column knows how wide it will be. */
export function eventLine(event: ShownEvent): string {
  const [position = '', time = '', type = '', subject = '', what = ''] = eventCells(event);
  return `${paint.dim(time)}  ${paint.dim(`#${position}`)}  ${type}  ${subject}${what === '-' ? '' : `  ${what}`}`;
}

function typeCell(type: string): string {
  const fact = type.split('.').at(-1) ?? '';
  const text = cell(type);
  if (BAD.includes(fact)) return paint.red(text);
  return GOOD.includes(fact) ? paint.green(text) : text;
}

function whatOf({ data }: ShownEvent): string {
  if (typeof data !== 'object' || data === null) return '-';
  const { reason, actor } = data as { reason?: unknown; actor?: unknown };
  if (typeof reason === 'string') return cell(reason);
  return typeof actor === 'string' ? cell(`by ${actor}`) : '-';
}
