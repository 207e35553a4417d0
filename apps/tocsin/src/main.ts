#!/usr/bin/env node
import { Command } from 'commander';

const program = new Command('tocsin')
  .description('Confirms a state change once, records it, and delivers that signal to everybody who subscribed.')
  .showHelpAfterError('(tocsin --help lists the commands)');

// What a command needs is loaded when it runs: the services take longer to load than the client commands to finish.
program
  .command('up')
  .description('run all of Tocsin in this process, with a Postgres and a NATS of its own where none is given')
  .option('-f, --file <path>', 'declarations to apply at the start (default: tocsin.yaml, where there is one)')
  .addHelpText(
    'after',
    '\nConfigured by TOCSIN_* environment variables; the README lists them.\n\nExamples:\n  tocsin up\n  TOCSIN_HTTP_PORT=8000 tocsin up --file fleet.yaml',
  )
  .action(async (options: { file?: string }) => {
    await import('@tocsin/platform/telemetry');
    const { up } = await import('./up/up-command.js');
    await up(options);
  });

program
  .command('demo')
  .description('show the main job on real servers: a node goes down and comes back, a receiver is told')
  .option('--exit', 'stop after the show instead of staying up')
  .action(async (options: { exit?: boolean }) => {
    await import('@tocsin/platform/telemetry');
    const { demo } = await import('./demo/demo-command.js');
    await demo({ exit: options.exit === true });
  });

program
  .command('apply')
  .description('declare the targets and subscriptions of a file: all of them or nothing')
  .option('-f, --file <path>', 'the file', 'tocsin.yaml')
  .option('--url <url>', 'where Tocsin listens', process.env['TOCSIN_URL'] ?? 'http://127.0.0.1:7070')
  .option('--dry-run', 'say what would change and change nothing')
  .option('--json', 'print the answer as JSON')
  .addHelpText('after', '\nThe API key is read from TOCSIN_API_KEY, or from .tocsin/api-key where that exists.')
  .action(async (options: { file: string; url: string; dryRun?: boolean; json?: boolean }) => {
    const { apply } = await import('./declarations/apply-command.js');
    await apply(options);
  });

await program.parseAsync();
