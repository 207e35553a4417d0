import type { PreviewedEvent, PreviewedRequest, PreviewReply } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { UsageError } from '../command-line/exit.js';
import { cell, print, printJson, printTable } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { oneLine } from '../command-line/table.js';
import { withClient } from '../server/connection.js';

/** What `subscriptions preview` takes. */
export type PreviewOptions = ServerOptions & { last?: number; file?: string; json?: boolean };

/** A declaration to be looked at, and what makes an error about it one about its file. */
interface Declared {
  body: Record<string, unknown>;
  inFile(error: unknown): unknown;
}

/** `tocsin subscriptions preview`: nothing is sent. */
export async function previewSubscription(name: string, options: PreviewOptions): Promise<void> {
  const { last, file } = options;
  const declared = file === undefined ? undefined : await declaredIn(file, name);
  const body = {
    ...(last === undefined ? {} : { last }),
    ...(declared === undefined ? {} : { subscription: declared.body }),
  };
  const preview = (await withClient(options, async (client) => {
    try {
      return await client.call('POST', `/v1/subscriptions/${encodeURIComponent(name)}/preview`, body);
    } catch (error) {
      throw declared === undefined ? error : declared.inFile(error);
    }
  })) as PreviewReply;
  if (options.json === true) printJson(preview);
  else for (const line of summaryOf(preview)) print(line);
  if (options.json === true) return;
  // Of other types there may be hundreds, and they say no more than their number.
  const near = preview.events.filter(({ clause }) => clause !== 'type');
  if (near.length > 0) {
    print();
    printTable('events', ['EVENT', 'TIME', 'TYPE', 'SUBJECT', 'TOLD'], near.map(rowOf));
  }
  printNewest(preview.newestMatch);
}

async function declaredIn(file: string, name: string): Promise<Declared> {
  const { readTocsinYaml } = await import('../declarations/tocsin-yaml.js');
  const declarations = await readTocsinYaml(file);
  const index = declarations.request.subscriptions.findIndex((one) => one.name === name);
  const found = declarations.request.subscriptions[index];
  if (found === undefined) throw new UsageError(`${file} declares no subscription "${name}"`);
  const { name: _name, ...body } = found;
  return {
    body,
    inFile: (error) => {
      if (!isTocsinError(error)) return error;
      const faults = error.faults.map((fault) => ({
        ...fault,
        pointer: fault.pointer.replace(/^\/subscription(?=\/|$)/, `/subscriptions/${index}`),
      }));
      return declarations.inFile(new TocsinError(error.code, error.message, { cause: error, faults }));
    },
  };
}

function summaryOf(preview: PreviewReply): string[] {
  const { name, matched, examined, unmatched, filterFailed } = preview;
  const failed = filterFailed === 0 ? '' : `, on ${filterFailed} of which it fails`;
  const reasons = [
    [unmatched.type, 'by type'],
    [unmatched.labels, 'by labels'],
    [unmatched.filter, `by its filter${failed}`],
    [unmatched.withheld, 'kept from everybody'],
  ] as const;
  const others = reasons.filter(([count]) => count > 0).map(([count, reason]) => `${count} ${reason}`);
  const told = `${paint.bold(name)} would have been told ${matched} of the last ${examined} events`;
  return others.length === 0 ? [told] : [told, `  not: ${others.join(', ')}`];
}

function rowOf({ position, time, type, subject, matches, clause, why }: PreviewedEvent): string[] {
  const not = why === undefined ? `no: ${clause ?? ''}` : `no: ${clause ?? ''}: ${oneLine(why)}`;
  return [String(position), cell(time), cell(type), cell(subject), matches ? paint.green('yes') : paint.dim(not)];
}

function printNewest(newest: PreviewReply['newestMatch']): void {
  if (newest === null) return;
  print(`\nFor event ${newest.position}, the newest of them, this would be sent:`);
  for (const request of newest.requests) for (const line of requestLines(request)) print(line);
  print();
  for (const line of newest.notes) print(`  ${oneLine(line)}`);
}

function requestLines({ method, url, headers, body, bodyBytes }: PreviewedRequest): string[] {
  const cutAt = Buffer.byteLength(body);
  return [
    '',
    `  ${paint.bold(`${method} ${oneLine(url)}`)}`,
    ...Object.entries(headers).map(([name, value]) => `  ${oneLine(name)}: ${oneLine(value)}`),
    '',
    ...readable(body).map((line) => `  ${line}`),
    ...(bodyBytes > cutAt ? [`  … ${bodyBytes - cutAt} more bytes`] : []),
  ];
}

/** JSON on several lines, which is easier to read than what goes out; nothing that would move the cursor. */
function readable(body: string): string[] {
  let text = body;
  try {
    text = JSON.stringify(JSON.parse(body), undefined, 2);
  } catch {
    // Not JSON, or cut: as it is.
  }
  return text.split('\n').map(oneLine);
}
