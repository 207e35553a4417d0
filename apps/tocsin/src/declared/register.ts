import type { Command } from 'commander';
import {
  list,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withJson,
  withServer,
} from '../command-line/arguments.js';
import { DECLARED_KINDS } from './kinds.js';

/** `get`, `delete`, each for every kind of declared things. */
export function registerDeclared(program: Command): void {
  const get = program.command('get').description('list declared things, or show one of them in full');
  for (const kind of DECLARED_KINDS) {
    const command = get
      .command(kind.plural)
      .alias(kind.singular)
      .description(`list ${kind.plural}, or show one of them in full`)
      .argument(`[${kind.singular}]`, 'its name');
    if (kind.plain !== true) {
      command.option('--limit <count>', 'list at most so many (default: all)', wholeNumber(1, 1_000_000));
    }
    if (kind.labelled) command.option('-l, --labels <name=value>', 'only those with these labels, all of them', list);
    withExamples(withServer(withJson(command)), ...kind.examples.get).action(
      async (
        name: string | undefined,
        options: ServerOptions & { labels?: string[]; limit?: number; json?: boolean },
      ) => {
        const { get: run } = await import('./declared-command.js');
        await run(kind, name, options);
      },
    );
  }

  const remove = program.command('delete').description('delete declared things by their names');
  for (const kind of DECLARED_KINDS) {
    const command = remove
      .command(kind.plural)
      .alias(kind.singular)
      .description(kind.deleting)
      .argument(`<${kind.singular}...>`, 'their names')
      .option('--ignore-not-found', 'go on where one is not there')
      .option('--dry-run', 'say what would be deleted and delete nothing');
    withExamples(withServer(command), ...kind.examples.delete).action(
      async (names: string[], options: ServerOptions & { dryRun?: boolean; ignoreNotFound?: boolean }) => {
        const { remove: run } = await import('./declared-command.js');
        await run(kind, names, options);
      },
    );
  }
}
