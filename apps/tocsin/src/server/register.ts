import type { Command } from 'commander';
import { httpUrl, withExamples, withJson } from '../command-line/arguments.js';

/** `profiles add|use|list|remove`. */
export function registerProfiles(program: Command): void {
  const profiles = program
    .command('profiles')
    .alias('profile')
    .description('servers and their keys under names of your own');

  const add = profiles
    .command('add')
    .description('keep a server and its key; the first one is in use from then on')
    .argument('<name>', 'what to call it')
    .requiredOption('--url <url>', 'where it listens', httpUrl)
    .option('--api-key-file <path>', 'its API key, read from a file; "-" for standard input (default: TOCSIN_API_KEY)')
    .option('--use', 'use it from now on')
    .addHelpText('after', '\nKept in $XDG_CONFIG_HOME/tocsin/profiles.json, readable by you alone.');
  withExamples(
    add,
    'tocsin profiles add production --url https://tocsin.example.net --api-key-file - < key.txt',
    'tocsin profiles add home --url http://127.0.0.1:7070 --api-key-file .tocsin/api-key --use',
  ).action(async (name: string, options: { url: string; apiKeyFile?: string; use?: boolean }) => {
    const { addProfile } = await import('./profiles-command.js');
    await addProfile(name, options);
  });

  const use = profiles.command('use').description('use a server from now on').argument('<profile>', 'its name');
  withExamples(use, 'tocsin profiles use production').action(async (name: string) => {
    const { useProfile } = await import('./profiles-command.js');
    await useProfile(name);
  });

  const listed = profiles.command('list').description('list them; keys are not shown');
  withExamples(withJson(listed), 'tocsin profiles list').action(async (options: { json?: boolean }) => {
    const { listProfiles } = await import('./profiles-command.js');
    await listProfiles(options);
  });

  const remove = profiles
    .command('remove')
    .description('forget servers and their keys')
    .argument('<profile...>', 'their names');
  withExamples(remove, 'tocsin profiles remove production').action(async (names: string[]) => {
    const { removeProfiles } = await import('./profiles-command.js');
    await removeProfiles(names);
  });
}
