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

/** `deliveries list|get`. */
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
}
