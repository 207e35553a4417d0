import type { Command } from 'commander';
import { type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

const FILE = ['-f, --file <path>', 'the file of declarations', 'tocsin.yaml'] as const;

/** `plan`, `apply`. */
export function registerDeclarations(program: Command): void {
  const plan = program
    .command('plan')
    .description('say what applying a file would create and change, field by field; changes nothing')
    .option(...FILE)
    .option('--detailed-exitcode', 'exit with 2 where there is something to change, 0 where there is nothing');
  withExamples(
    withServer(withJson(plan)),
    'tocsin plan',
    'tocsin plan --file fleet.yaml --detailed-exitcode',
    'tocsin plan --json | jq .updated',
  ).action(async (options: ServerOptions & { file: string; json?: boolean; detailedExitcode?: boolean }) => {
    const { plan: run } = await import('./plan-command.js');
    await run(options);
  });

  const apply = program
    .command('apply')
    .description('declare the targets and subscriptions of a file: all of them or nothing')
    .option(...FILE)
    .option('--dry-run', 'say what would change and change nothing');
  withExamples(
    withServer(withJson(apply)),
    'tocsin apply',
    'tocsin apply --file fleet.yaml --dry-run',
    'tocsin apply --profile production --json',
  ).action(async (options: ServerOptions & { file: string; dryRun?: boolean; json?: boolean }) => {
    const { apply: run } = await import('./apply-command.js');
    await run(options);
  });
}
