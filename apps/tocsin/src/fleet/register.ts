import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  list,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withJson,
  withServer,
} from '../command-line/arguments.js';
import type { FleetOptions, WithheldOptions } from './fleet-command.js';

const MOST = 1_000_000;
const USUAL = 100;

/** `fleet`, `withheld`. */
export function registerFleet(program: Command): void {
  const fleet = program
    .command('fleet')
    .description('where every target stands, what lies over it and who watches it; now, or at any moment that was')
    .addOption(new Option('--at <time>', 'the moment to show, such as 2030-01-31T12:00:00Z').argParser(moment))
    .option('--labels <name=value,...>', 'only targets with these labels', list)
    .addOption(new Option('--limit <n>', 'targets at most').argParser(wholeNumber(1, MOST)));
  withExamples(
    withServer(withJson(fleet)),
    'tocsin fleet --labels site=fra',
    'tocsin fleet --at 2030-01-31T03:00:00Z',
  ).action(async (options: ServerOptions & FleetOptions) => {
    const { showFleet } = await import('./fleet-command.js');
    await showFleet(options);
  });

  const withheld = program
    .command('withheld')
    .description('changes that were recorded and told to nobody: what kept them back, and what released them')
    .option('--subject <kind/name>', 'only changes of this target')
    .addOption(
      new Option('--because <overlay>', 'only what this kept back').choices([
        'maintenance',
        'flapping',
        'unreachable',
        'storm',
      ]),
    )
    .addOption(
      new Option('--state <state>', 'only what is held still, or is not any more').choices(['held', 'released']),
    )
    .option('--labels <name=value,...>', 'only targets with these labels', list)
    .addOption(new Option('--limit <n>', 'changes at most').argParser(wholeNumber(1, MOST)).default(USUAL));
  withExamples(
    withServer(withJson(withheld)),
    'tocsin withheld --state held',
    'tocsin withheld --subject node/edge-fra-17 --because maintenance',
  ).action(async (options: ServerOptions & WithheldOptions) => {
    const { listWithheld } = await import('./fleet-command.js');
    await listWithheld(options);
  });
}

function moment(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a time such as 2030-01-31T12:00:00Z.');
  return new Date(time).toISOString();
}
