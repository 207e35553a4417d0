import type { Command } from 'commander';
import {
  list,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withJson,
  withServer,
} from '../command-line/arguments.js';
import type { PreviewOptions } from './preview-command.js';
import type { ReplayOptions } from './subscriptions-command.js';

/** `subscriptions preview|test|rotate-secret|pause|resume|replay`. */
export function registerSubscriptions(program: Command): void {
  const subscriptions = program
    .command('subscriptions')
    .alias('subscription')
    .description('what can be done with a subscription beside declaring it');

  registerTrials(subscriptions);

  const rotate = subscriptions
    .command('rotate-secret')
    .description('make a new signing secret and print it, this once')
    .argument('<subscription>', 'its name')
    .option(
      '--overlap <duration>',
      'how long the old secret goes on signing beside the new one, 0s to 7d (default: 24h)',
    );
  withExamples(
    withServer(withJson(rotate)),
    'tocsin subscriptions rotate-secret on-call',
    'tocsin subscriptions rotate-secret on-call --overlap 0s > secret.txt',
  ).action(async (name: string, options: ServerOptions & { overlap?: string; json?: boolean }) => {
    const { rotateSecret } = await import('./subscriptions-command.js');
    await rotateSecret(name, options);
  });

  for (const [verb, paused, what] of [
    ['pause', true, 'send nothing for now; what matches waits'],
    ['resume', false, 'send again, and what has waited first'],
  ] as const) {
    const command = subscriptions.command(verb).description(what).argument('<subscription>', 'its name');
    withExamples(withServer(command), `tocsin subscriptions ${verb} on-call`).action(
      async (name: string, options: ServerOptions) => {
        const { setPaused } = await import('./subscriptions-command.js');
        await setPaused(name, paused, options);
      },
    );
  }

  const replay = subscriptions
    .command('replay')
    .description('send again what matched between two points of the log, with the ids it had')
    .argument('<subscription>', 'its name')
    .requiredOption('--from <point>', 'after this position, or from this time, such as 2030-01-31T12:00:00Z')
    .option('--to <point>', 'up to this position or time (default: now)')
    .option('--type <pattern>', 'only these types; may be given several times', list)
    .option('--subject <subject>', 'only what is about this')
    .option('--per-second <count>', 'so many requests a second at most (default: 50)', Number);
  withExamples(
    withServer(replay),
    'tocsin subscriptions replay on-call --from 41 --to 42',
    "tocsin subscriptions replay on-call --from 2030-01-31T12:00:00Z --type 'io.tocsin.*.offline' --per-second 5",
  ).action(async (name: string, options: ReplayOptions) => {
    const { replay: run } = await import('./subscriptions-command.js');
    await run(name, options);
  });
}

/** Most events a preview looks at; the API takes no more. */
const MOST_PREVIEWED = 1_000;

function registerTrials(subscriptions: Command): void {
  const preview = subscriptions
    .command('preview')
    .description('say which of the newest events it would have been told, why not the others, and how; sends nothing')
    .argument('<subscription>', 'its name')
    .option('--last <count>', 'look at so many events (default: 100)', wholeNumber(1, MOST_PREVIEWED))
    .option('-f, --file <path>', 'as this file of declarations has it, before that is applied');
  withExamples(
    withServer(withJson(preview)),
    'tocsin subscriptions preview on-call',
    'tocsin subscriptions preview on-call --last 1000 --file tocsin.yaml',
    "tocsin subscriptions preview on-call --json | jq -r '.newestMatch.requests[0].body'",
  ).action(async (name: string, options: PreviewOptions) => {
    const { previewSubscription } = await import('./preview-command.js');
    await previewSubscription(name, options);
  });

  const test = subscriptions
    .command('test')
    .description('send its receiver one event that is marked as a test, and show the answer; also where it is paused')
    .argument('<subscription>', 'its name');
  withExamples(
    withServer(withJson(test)),
    'tocsin subscriptions test on-call',
    'tocsin subscriptions test on-call --json | jq .status',
  ).action(async (name: string, options: ServerOptions & { json?: boolean }) => {
    const { testSubscription } = await import('./test-command.js');
    await testSubscription(name, options);
  });
}
