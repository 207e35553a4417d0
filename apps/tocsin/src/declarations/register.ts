import type { Command } from 'commander';
import { withExamples, withJson, withServer } from '../command-line/arguments.js';
import type { ApplyOptions } from './apply-command.js';
import type { DeclareOptions } from './plan-command.js';

const FILE = ['-f, --file <path>', 'the file of declarations', 'tocsin.yaml'] as const;
const PRUNE = [
  '--prune',
  'delete what the owner named in the file has declared before and the file no longer has',
] as const;
const TAKE_OVER = ['--take-over', 'declare things of another owner too; else they are refused'] as const;

/** `plan`, `apply`. */
export function registerDeclarations(program: Command): void {
  const plan = program
    .command('plan')
    .description('say what applying a file would create, change and delete, field by field; changes nothing')
    .option(...FILE)
    .option(...PRUNE)
    .option(...TAKE_OVER)
    .option('-o, --out <path>', 'keep the plan, for `apply --plan`')
    .option('--detailed-exitcode', 'exit with 2 where there is something to change, 0 where there is nothing');
  withExamples(
    withServer(withJson(plan)),
    'tocsin plan',
    'tocsin plan --file fleet.yaml --prune --detailed-exitcode',
    'tocsin plan --out plan.json && tocsin apply --plan plan.json',
    'tocsin plan --json | jq .updated',
  ).action(async (options: DeclareOptions & { out?: string; detailedExitcode?: boolean }) => {
    const { plan: run } = await import('./plan-command.js');
    await run(options);
  });

  const apply = program
    .command('apply')
    .description(
      'declare the targets, subscriptions and maintenance windows of a file: all of it or nothing, and nothing where something it ' +
        'touches has changed since it was planned',
    )
    .option(...FILE)
    .option(...PRUNE)
    .option(...TAKE_OVER)
    .option('-y, --yes', 'do not ask (nobody is asked where there is no terminal)')
    .option('--dry-run', 'say what would change and change nothing');
  apply.addOption(
    apply
      .createOption('--plan <path>', 'apply a plan that was kept by `plan --out`')
      .conflicts(['file', 'prune', 'takeOver', 'dryRun']),
  );
  withExamples(
    withServer(withJson(apply)),
    'tocsin apply',
    'tocsin apply --file fleet.yaml --prune --yes',
    'tocsin apply --plan plan.json',
    'tocsin apply --profile production --json',
  ).action(async (options: ApplyOptions) => {
    const { apply: run } = await import('./apply-command.js');
    await run(options);
  });
}
