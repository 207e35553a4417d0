import type { ServerOptions } from '../command-line/arguments.js';
import { UsageError } from '../command-line/exit.js';
import { cell, print, printJson, printTable } from '../command-line/output.js';
import { paint, paintState } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { allItems, withQuery } from '../server/query.js';

/** One (event, subscription) of the ledger, as the API gives it. */
interface Delivery {
  id: string;
  subscription: string;
  position: number;
  state: string;
  attempts: number;
  at: string;
  reason: string | null;
}

/** One attempt, as the API gives it. */
interface Attempt {
  number: number;
  startedAt: string;
  outcome: string;
  status: number | null;
  errorClass: string | null;
  detail: string | null;
  phasesMs: { total?: number };
  nextAt: string | null;
}

/** `tocsin deliveries list`: newest events first. */
export async function listDeliveries(
  options: ServerOptions & { subscription?: string; event?: number; state?: string; limit: number; json?: boolean },
): Promise<void> {
  const { subscription, event, state, limit } = options;
  const deliveries = await withClient(options, (client) =>
    allItems<Delivery>(client, '/v1/deliveries', { subscription, event, state }, limit),
  );
  if (options.json === true) {
    printJson(deliveries);
    return;
  }
  const rows = deliveries.map((one) => [
    cell(one.id),
    cell(one.subscription),
    String(one.position),
    paintState(one.state),
    String(one.attempts),
    cell(one.at),
    cell(one.reason),
  ]);
  printTable('deliveries', ['ID', 'SUBSCRIPTION', 'EVENT', 'STATE', 'ATTEMPTS', 'AT', 'REASON'], rows);
}

/** `tocsin deliveries get`: one delivery with every attempt. */
export async function getDelivery(id: string, options: ServerOptions & { json?: boolean }): Promise<void> {
  const delivery = (await withClient(options, (client) =>
    client.call('GET', `/v1/deliveries/${encodeURIComponent(id)}`),
  )) as Delivery & { history: Attempt[] };
  if (options.json === true) {
    printJson(delivery);
    return;
  }
  const { subscription, position, state, at, reason } = delivery;
  print(
    `event ${position} for ${cell(subscription)}: ${paintState(state)}${state === 'pending' ? `, due ${at}` : ` ${at}`}`,
  );
  if (reason !== null) print(`  ${cell(reason)}`);
  print();
  const rows = delivery.history.map((attempt) => [
    String(attempt.number),
    cell(attempt.startedAt),
    cell(attempt.outcome),
    cell(attempt.status ?? attempt.errorClass),
    attempt.phasesMs.total === undefined ? '-' : `${Math.round(attempt.phasesMs.total)} ms`,
    cell(attempt.nextAt),
    paint.dim(cell(attempt.detail)),
  ]);
  printTable('attempts', ['ATTEMPT', 'STARTED', 'OUTCOME', 'ANSWER', 'TOOK', 'NEXT', 'DETAIL'], rows);
}

/** `tocsin deliveries parked`: who is held, where and why. */
export async function listParked(options: ServerOptions & { subscription?: string; json?: boolean }): Promise<void> {
  const { subscription } = options;
  const { items } = (await withClient(options, (client) =>
    client.call('GET', withQuery('/v1/deliveries/parked', { subscription })),
  )) as { items: { subscription: string; after: number; reason: string; since: string }[] };
  if (options.json === true) {
    printJson(items);
    return;
  }
  const rows = items.map((one) => [cell(one.subscription), String(one.after), cell(one.since), cell(one.reason)]);
  printTable('parked subscriptions', ['SUBSCRIPTION', 'AFTER', 'SINCE', 'REASON'], rows);
}

/** `tocsin deliveries retry`: single ones, or all that were given up for a subscription. */
export async function retryDeliveries(
  ids: readonly string[],
  options: ServerOptions & { subscription?: string; reason?: string },
): Promise<void> {
  const { subscription, reason } = options;
  if (ids.length > 0 === (subscription !== undefined)) throw new UsageError('give ids, or --subscription');
  if (reason !== undefined && subscription === undefined) throw new UsageError('--reason goes with --subscription');
  await withClient(options, async (client) => {
    if (subscription !== undefined) {
      const body = { subscription, ...(reason === undefined ? {} : { reason }) };
      const { retried } = (await client.call('POST', '/v1/deliveries/retry', body)) as { retried: number };
      print(`${retried} deliveries for ${subscription} are tried again`);
      return;
    }
    for (const id of ids) {
      await client.call('POST', `/v1/deliveries/${encodeURIComponent(id)}/retry`);
      print(`delivery ${id} is tried again`);
    }
  });
}
