import { type Command, Option } from 'commander';
import {
  position,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withJson,
  withServer,
} from '../command-line/arguments.js';
import { DELIVERY_STATES } from './states.js';

/** `deliveries list|get|parked|retry`. */
export function registerDeliveries(program: Command): void {
  const deliveries = program.command('deliveries').description('what became of each event for each subscriber');

  const list = deliveries
    .command('list')
    .description('list deliveries, newest events first')
    .option('--subscription <name>', 'only those of this subscription')
    .option('--event <position>', 'only those of the event at this position', position)
    .addOption(new Option('--state <state>', 'only those in this state').choices([...DELIVERY_STATES]))
    .option('--limit <count>', 'so many at most', wholeNumber(1, 1_000_000), 50);
  withExamples(
    withServer(withJson(list)),
    'tocsin deliveries list --subscription on-call',
    'tocsin deliveries list --state dead --json',
    'tocsin deliveries list --event 42',
  ).action(
    async (
      options: ServerOptions & { subscription?: string; event?: number; state?: string; limit: number; json?: boolean },
    ) => {
      const { listDeliveries } = await import('./deliveries-command.js');
      await listDeliveries(options);
    },
  );

  const get = deliveries
    .command('get')
    .description('show one delivery with every attempt')
    .argument('<id>', 'its id: position of the event and name of the subscription, such as 42-on-call');
  withExamples(withServer(withJson(get)), 'tocsin deliveries get 42-on-call').action(
    async (id: string, options: ServerOptions & { json?: boolean }) => {
      const { getDelivery } = await import('./deliveries-command.js');
      await getDelivery(id, options);
    },
  );

  const parked = deliveries
    .command('parked')
    .description('list subscriptions that are held at a position; all they want behind it waits there')
    .option('--subscription <name>', 'only this one');
  withExamples(withServer(withJson(parked)), 'tocsin deliveries parked').action(
    async (options: ServerOptions & { subscription?: string; json?: boolean }) => {
      const { listParked } = await import('./deliveries-command.js');
      await listParked(options);
    },
  );

  const retry = deliveries
    .command('retry')
    .description('try deliveries again now: given up, or waiting for their next attempt')
    .argument('[id...]', 'their ids')
    .option('--subscription <name>', 'instead of ids: all that were given up for this subscription')
    .option('--reason <reason>', 'with --subscription: only those given up for this reason, as `list` shows it');
  withExamples(
    withServer(retry),
    'tocsin deliveries retry 42-on-call 43-on-call',
    'tocsin deliveries retry --subscription on-call',
  ).action(async (ids: string[], options: ServerOptions & { subscription?: string; reason?: string }) => {
    const { retryDeliveries } = await import('./deliveries-command.js');
    await retryDeliveries(ids, options);
  });
}
