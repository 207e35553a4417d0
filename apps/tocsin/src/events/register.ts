import type { Command } from 'commander';
import {
  list,
  position,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withJson,
  withServer,
} from '../command-line/arguments.js';
import { registerShowEvent } from '../explain/register.js';

interface FilterOptions {
  type?: string[];
  subject?: string;
}

function withFilter(command: Command): Command {
  return command
    .option('--type <pattern>', 'only these types, such as io.tocsin.*.offline; may be given several times', list)
    .option('--subject <subject>', 'only what is about this, such as node/edge-fra-17');
}

/** `events list|get|show|tail`. */
export function registerEvents(program: Command): void {
  const events = program.command('events').description('read the log');

  const listed = events
    .command('list')
    .description('list the newest events, or those after a position; oldest first')
    .option('--after <position>', 'events after this position; 0 for the log from its start', position)
    .option('--limit <count>', 'so many at most', wholeNumber(1, 1_000_000), 20);
  withExamples(
    withServer(withJson(withFilter(listed))),
    'tocsin events list',
    "tocsin events list --type 'io.tocsin.*.offline' --limit 5",
    'tocsin events list --after 0 --limit 1000 --json',
  ).action(async (options: ServerOptions & FilterOptions & { after?: number; limit: number; json?: boolean }) => {
    const { listEvents } = await import('./events-command.js');
    await listEvents(options);
  });

  const get = events
    .command('get')
    .description('print one event as it was recorded, as JSON')
    .argument('<key>', 'its position or its id');
  withExamples(
    withServer(get),
    'tocsin events get 42',
    'tocsin events get evt_01a202d6-b58f-7e08-9398-467161170d8b',
  ).action(async (key: string, options: ServerOptions) => {
    const { getEvent } = await import('./events-command.js');
    await getEvent(key, options);
  });

  registerShowEvent(events);

  const tail = events
    .command('tail')
    .description('print what is recorded from now on, as it is recorded; a lost connection is taken up where it broke')
    .option('--after <position>', 'first what was recorded after this position', position)
    .option('--count <count>', 'stop after so many events', wholeNumber(1, Number.MAX_SAFE_INTEGER));
  withExamples(
    withServer(withJson(withFilter(tail))),
    'tocsin events tail',
    "tocsin events tail --type 'io.tocsin.node.*'",
    'tocsin events tail --after 0 --json | jq -c .data',
  ).action(async (options: ServerOptions & FilterOptions & { after?: number; count?: number; json?: boolean }) => {
    const { tail: run } = await import('./events-command.js');
    await run(options);
  });
}
