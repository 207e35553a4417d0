import type { Command } from 'commander';
import { position, type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

/** `verify`, and `verify log|deliveries`. */
export function registerVerify(program: Command): void {
  const verify = program
    .command('verify')
    .description('check every promise on this installation, running or stopped, a line each; needs an admin key')
    .option('--data-dir <folder>', 'check what a stopped standalone Tocsin has left there; nothing is written to it');
  withExamples(
    withServer(withJson(verify)),
    'tocsin verify',
    'tocsin verify --json',
    'tocsin verify --data-dir .tocsin',
  ).action(async (options: ServerOptions & { dataDir?: string; json?: boolean }) => {
    const { verifyAll } = await import('./verify-command.js');
    await verifyAll(options);
  });
  const log = verify
    .command('log')
    .description('hash every event of the log again and account for every position; needs an admin key');
  withExamples(withServer(withJson(log)), 'tocsin verify log', 'tocsin verify log --json').action(
    async (options: ServerOptions & { json?: boolean }) => {
      const { verifyLog } = await import('./verify-log-command.js');
      await verifyLog(options);
    },
  );

  const deliveries = verify
    .command('deliveries')
    .description('work out from the log alone who had to be told what, and compare with the ledger; needs an admin key')
    .option('--after <position>', 'look at events after this position only', position);
  withExamples(
    withServer(withJson(deliveries)),
    'tocsin verify deliveries',
    'tocsin verify deliveries --after 100000 --json',
  ).action(async (options: ServerOptions & { after?: number; json?: boolean }) => {
    const { verifyDeliveries } = await import('./verify-deliveries-command.js');
    await verifyDeliveries(options);
  });
}
