import { isTocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { note, print, printJson, printTable } from '../command-line/output.js';
import { withClient } from '../server/connection.js';
import { allItems, withQuery } from '../server/query.js';
import type { DeclaredKind, DeclaredThing } from './kinds.js';

/** `tocsin get`: a table of all, or of those with some labels; one of them in full, as YAML. */
export async function get(
  kind: DeclaredKind,
  name: string | undefined,
  options: ServerOptions & { labels?: string[]; limit?: number; json?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    if (name !== undefined) {
      const thing = await client.call('GET', `/v1/${kind.plural}/${encodeURIComponent(name)}`);
      if (options.json === true) {
        printJson(thing);
        return;
      }
      const { stringify } = await import('yaml');
      process.stdout.write(stringify(thing));
      return;
    }
    const query = { labels: options.labels?.join(',') };
    const path = `/v1/${kind.plural}`;
    const things =
      kind.plain === true
        ? ((await client.call('GET', path)) as { items: DeclaredThing[] }).items
        : await allItems<DeclaredThing>(client, path, query, options.limit);
    if (options.json === true) {
      printJson(things);
      return;
    }
    const nowMs = Date.now();
    printTable(
      kind.plural,
      kind.columns,
      things.map((thing) => kind.cells(thing, nowMs)),
    );
  });
}

/** `tocsin delete`: each by its name; those that are not there are an error unless they may be missing. */
export async function remove(
  kind: DeclaredKind,
  names: readonly string[],
  options: ServerOptions & { dryRun?: boolean; ignoreNotFound?: boolean },
): Promise<void> {
  const dryRun = options.dryRun === true ? true : undefined;
  await withClient(options, async (client) => {
    for (const name of names) {
      const subject = `${kind.subject ?? kind.singular}/${name}`;
      try {
        await client.call('DELETE', withQuery(`/v1/${kind.plural}/${encodeURIComponent(name)}`, { dryRun }));
        print(`${subject} ${dryRun === true ? 'would be deleted' : 'deleted'}`);
      } catch (error) {
        if (options.ignoreNotFound !== true || !isTocsinError(error, 'TCN_NOT_FOUND')) throw error;
        note(`${subject} is not there`);
      }
    }
  });
}
