import { ApiClient } from '@tocsin/client';
import type { NoiseReceipt } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { cell, note, print, printJson } from '../command-line/output.js';
import { paint, paintState } from '../command-line/paint.js';
import { currentConnection } from '../server/connection.js';
import { allItems } from '../server/query.js';

/** What is looked at. Undefined: it could not be read. */
interface Status {
  url: string;
  ready: boolean;
  checks: Record<string, string>;
  /** Targets by state. */
  targets?: Record<string, number>;
  /** Subscriptions by state. */
  subscriptions?: Record<string, number>;
  /** Checks made → transitions → deliveries, of all observers, over their restarts. */
  receipt?: NoiseReceipt;
  /** Why something is missing. */
  missing: string[];
}

/** `tocsin status`: is the server ready, what does it watch and whom does it tell. Exit code 1 if it is not ready. */
export async function status(options: ServerOptions & { json?: boolean }): Promise<void> {
  const { url, apiKey } = await currentConnection(options);
  const client = new ApiClient({ url, apiKey });
  const found = await statusOf(client, url, apiKey !== undefined);
  if (options.json === true) printJson(found);
  else show(found);
  if (!found.ready) process.exitCode = EXIT.failed;
}

async function statusOf(client: ApiClient, url: string, hasKey: boolean): Promise<Status> {
  const { ready, checks } = await readiness(client);
  const missing: string[] = [];
  const optional = async <T>(what: string, work: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isTocsinError(error)) throw error;
      missing.push(`${what}: ${error.code}: ${error.message}`);
      return undefined;
    }
  };
  const byState = (path: string) => async () => {
    if (!hasKey) throw new TocsinError('TCN_CONFIG', 'there is no API key');
    return countsBy(await allItems<{ state: string }>(client, path));
  };
  const [targets, subscriptions, receipt] = await Promise.all([
    optional('targets', byState('/v1/targets')),
    optional('subscriptions', byState('/v1/subscriptions')),
    optional('noise receipt', () => receiptOf(client, hasKey)),
  ]);
  return {
    url,
    ready,
    checks,
    ...(targets === undefined ? {} : { targets }),
    ...(subscriptions === undefined ? {} : { subscriptions }),
    ...(receipt === undefined ? {} : { receipt }),
    missing,
  };
}

/** `/readyz` answers 503 with the same document when it is not ready. */
async function readiness(client: ApiClient): Promise<{ ready: boolean; checks: Record<string, string> }> {
  const response = await client.open('GET', '/readyz', { accept: [503] });
  const { status: said, checks } = (await response.json()) as { status: string; checks: Record<string, string> };
  return { ready: said === 'ok', checks };
}

async function receiptOf(client: ApiClient, hasKey: boolean): Promise<NoiseReceipt> {
  if (!hasKey) throw new TocsinError('TCN_CONFIG', 'there is no API key');
  return (await client.call('GET', '/v1/noise')) as NoiseReceipt;
}

function countsBy(things: readonly { state: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of things) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function show(found: Status): void {
  const line = (name: string, text: string) => print(`${name.padEnd(14)}${text}`);
  line('server', `${found.url} ${found.ready ? paint.green('ready') : paint.red('not ready')}`);
  for (const [name, outcome] of Object.entries(found.checks)) {
    if (outcome !== 'ok') line('', `${paint.red(name)}: ${cell(outcome)}`);
  }
  if (found.targets !== undefined) line('targets', countsText(found.targets));
  if (found.subscriptions !== undefined) line('subscriptions', countsText(found.subscriptions));
  if (found.receipt !== undefined) {
    line('noise receipt', receiptText(found.receipt));
    for (const reason of found.receipt.missing) note(`not shown: ${reason}`);
  }
  for (const reason of found.missing) note(`not shown: ${reason}`);
}

function receiptText(receipt: NoiseReceipt): string {
  const { checks, suspicions, refused, transitions, withheld, announced, deliveries, since } = receipt;
  const steps = [
    `${checks} checks made`,
    `${suspicions} suspicions (${refused} refused by vote)`,
    `${transitions} transitions (${withheld} withheld)`,
    `${announced} announced`,
    ...(deliveries === undefined ? [] : [`${deliveries} deliveries`]),
  ];
  return `${steps.join(' → ')}${since === undefined ? '' : `, since ${since}`}`;
}

function countsText(counts: Record<string, number>): string {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(counts).map(([state, count]) => `${count} ${paintState(state)}`);
  return parts.length === 0 ? '0' : `${total}: ${parts.join(', ')}`;
}
