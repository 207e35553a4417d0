import type { Command } from 'commander';
import { withExamples } from '../command-line/arguments.js';

/** `up`, `demo`. */
export function registerUp(program: Command): void {
  const up = program
    .command('up')
    .description('run all of Tocsin in this process, with a Postgres and a NATS of its own where none is given')
    .option('-f, --file <path>', 'declarations to apply at the start (default: tocsin.yaml, where there is one)')
    .addHelpText('after', '\nConfigured by TOCSIN_* environment variables; the README lists them.')
    .action(async (options: { file?: string }) => {
      await import('@tocsin/platform/telemetry');
      const { up: run } = await import('./up-command.js');
      await run(options);
    });
  withExamples(up, 'tocsin up', 'TOCSIN_HTTP_PORT=8000 tocsin up --file fleet.yaml');

  const demo = program
    .command('demo')
    .description('show the main job on real servers: a node goes down and comes back, a receiver is told')
    .option('--exit', 'stop after the show instead of staying up')
    .action(async (options: { exit?: boolean }) => {
      await import('@tocsin/platform/telemetry');
      const { demo: run } = await import('../demo/demo-command.js');
      await run({ exit: options.exit === true });
    });
  withExamples(demo, 'tocsin demo', 'tocsin demo --exit');
}
