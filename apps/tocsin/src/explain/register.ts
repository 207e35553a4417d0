import type { Command } from 'commander';
import { type ServerOptions, withExamples, withJson, withServer } from '../command-line/arguments.js';

/** `explain`. */
export function registerExplain(program: Command): void {
  const explain = program
    .command('explain')
    .description(
      'say why somebody was told of something, or was not: what was seen, confirmed, kept back, sent, answered',
    )
    .argument('<subject>', 'what it is about: node/edge-fra-17, or the name of a target alone')
    .option('--for <subscription>', 'only for this subscription')
    .option(
      '--at <time>',
      'about this time, give or take ten minutes: 2030-01-31T03:12:00Z, 3:12 for the last time it was that, or 10m for so long ago; default: the newest there is',
    );
  withExamples(
    withServer(withJson(explain)),
    'tocsin explain edge-fra-17',
    'tocsin explain node/edge-fra-17 --for ops-chat --at 3:12',
  ).action(async (subject: string, options: ServerOptions & { for?: string; at?: string; json?: boolean }) => {
    const { explain: run } = await import('./explain-command.js');
    await run(subject, options);
  });
}

/** `events show`. */
export function registerShowEvent(events: Command): void {
  const show = events
    .command('show')
    .description('tell the story of one event: what was seen, when it was recorded, every attempt to tell of it')
    .argument('<event>', 'its position or its id')
    .option('--for <subscription>', 'only for this subscription');
  withExamples(withServer(withJson(show)), 'tocsin events show 42', 'tocsin events show 42 --for on-call').action(
    async (key: string, options: ServerOptions & { for?: string; json?: boolean }) => {
      const { showEvent } = await import('./explain-command.js');
      await showEvent(key, options);
    },
  );
}
