import type { Command } from 'commander';
import { type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

/** `status`. */
export function registerStatus(program: Command): void {
  const status = program
    .command('status')
    .description('is the server ready, what does it watch, whom does it tell, and how much noise it spared everybody');
  withExamples(withServer(withJson(status)), 'tocsin status', 'tocsin status --json | jq .receipt').action(
    async (options: ServerOptions & { json?: boolean }) => {
      const { status: run } = await import('./status-command.js');
      await run(options);
    },
  );
}
