import { type Command, Option } from 'commander';
import { list, withExamples, withJson, withServer } from '../command-line/arguments.js';
import type { KeyOptions } from './keys-command.js';

/** `keys create`; the rest of their life is `get keys` and `delete keys`. */
export function registerKeys(program: Command): void {
  const keys = program.command('keys').description('API keys; `get keys` lists, `delete keys` revokes them');
  const create = keys
    .command('create')
    .description('make an API key and print it, this once')
    .argument('<name>', 'what to call it: the name stands in the log beside what is done with it')
    .addOption(
      new Option('--role <role>', 'what it may do: an admin all, an editor declare, a viewer read, a producer append')
        .choices(['admin', 'editor', 'viewer', 'producer'])
        .makeOptionMandatory(),
    )
    .option('-l, --labels <name=value>', 'let it see and change only what carries these labels, all of them', list)
    .option('--description <text>', 'what it is for')
    .option('--expires <time>', 'refuse it from this time on, such as 2030-01-31T12:00:00Z');
  withExamples(
    withServer(withJson(create)),
    'tocsin keys create ci --role editor --description "applies tocsin.yaml" > key.txt',
    'tocsin keys create team-a --role editor --labels team=a',
    'tocsin keys create billing --role producer --expires 2030-01-31T12:00:00Z',
  ).action(async (name: string, options: KeyOptions) => {
    const { createKey } = await import('./keys-command.js');
    await createKey(name, options);
  });
}
