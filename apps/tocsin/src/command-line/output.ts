import { oneLine, tableLines } from './table.js';

/** The answer of the command: to standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** What is said beside the answer: to standard error, so that pipes carry the answer alone. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** For programs. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** For people. What there is none of is said on standard error. */
export function printTable(what: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) {
    note(`no ${what}`);
    return;
  }
  for (const line of tableLines(head, rows)) print(line);
}

/** A value that came over the wire, fit for a cell: one line, `-` where there is none. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value));
}

/**
 * A reader that has seen enough (`tocsin events list | head`) ends the command quietly; a server that prints goes on.
 * @param onGone what to do when nobody reads any more
 */
export function whenReaderIsGone(onGone: () => void): void {
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    onGone();
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
}
