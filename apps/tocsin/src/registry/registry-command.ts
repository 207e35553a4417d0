import type { ServerOptions } from '../command-line/arguments.js';
import { cell, print, printJson, printTable } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';

/** The whole log of declarations is read again: minutes for a large one. */
const PATIENCE_MS = 600_000;

/** `tocsin registry rebuild`: reads go on meanwhile, writes wait. */
export async function rebuildRegistry(options: ServerOptions & { json?: boolean }): Promise<void> {
  const rebuilt = (await withClient(options, async (client) => {
    const response = await client.open('POST', '/v1/registry/rebuild', { timeoutMs: PATIENCE_MS });
    return response.json();
  })) as { position: number; tables: { table: string; rows: number; changed: boolean }[] };
  if (options.json === true) {
    printJson(rebuilt);
    return;
  }
  const rows = rebuilt.tables.map(({ table, rows: count, changed }) => [
    cell(table),
    String(count),
    changed ? paint.yellow('was wrong, is right now') : 'as it was',
  ]);
  printTable('tables', ['TABLE', 'ROWS', 'CONTENT'], rows);
  print(`made anew from the log up to position ${rebuilt.position}`);
}
