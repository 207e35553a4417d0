import type { Command } from 'commander';
import { type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

/** `verify log`. */
export function registerVerify(program: Command): void {
  const verify = program.command('verify').description('prove that what was promised holds');
  const log = verify
    .command('log')
    .description('hash every event of the log again and account for every position; needs an admin key');
  withExamples(withServer(withJson(log)), 'tocsin verify log', 'tocsin verify log --json').action(
    async (options: ServerOptions & { json?: boolean }) => {
      const { verifyLog } = await import('./verify-command.js');
      await verifyLog(options);
    },
  );
}
