import type { Command } from 'commander';
import { type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

/** `registry rebuild`. */
export function registerRegistry(program: Command): void {
  const registry = program.command('registry').description('upkeep of the registry');
  const rebuild = registry
    .command('rebuild')
    .description(
      'make the tables of the registry anew from the log, and say whether they were right; needs an admin key',
    );
  withExamples(withServer(withJson(rebuild)), 'tocsin registry rebuild').action(
    async (options: ServerOptions & { json?: boolean }) => {
      const { rebuildRegistry } = await import('./registry-command.js');
      await rebuildRegistry(options);
    },
  );
}
