import type { ServerOptions } from '../command-line/arguments.js';
import { EXIT } from '../command-line/exit.js';
import { print, printJson } from '../command-line/output.js';
import { paint } from '../command-line/paint.js';
import { withClient } from '../server/connection.js';
import { withQuery } from '../server/query.js';

/** A proof reads the whole log: it may take minutes. */
const PATIENCE_MS = 600_000;

/** What the API answers. */
interface Audit {
  upTo: number;
  events: number;
  accepted: number;
  delivered: number;
  pending: number;
  parked: number;
  superseded: number;
  dead: number;
  missing: string[];
  missingCount: number;
  ok: boolean;
}

const FATES = ['delivered', 'pending', 'parked', 'superseded', 'dead'] as const;

/** `tocsin verify deliveries`: every match that was accepted has a fate. Exit code 1 if one has none. */
export async function verifyDeliveries(options: ServerOptions & { after?: number; json?: boolean }): Promise<void> {
  const { after } = options;
  const audit = await withClient(options, async (client) => {
    const response = await client.open('GET', withQuery('/v1/deliveries/verify', { after }), {
      timeoutMs: PATIENCE_MS,
    });
    return (await response.json()) as Audit;
  });
  if (options.json === true) printJson(audit);
  else for (const line of auditLines(audit)) print(line);
  if (!audit.ok) process.exitCode = EXIT.failed;
}

/** An audit for people. */
export function auditLines(audit: Audit): string[] {
  const fates = FATES.map((fate) => `${audit[fate]} ${fate}`).join(' + ');
  const sum = `${audit.accepted} to be told = ${fates}`;
  const range = `${audit.events} events up to ${audit.upTo}`;
  if (audit.ok) return [`${paint.green('✔')} deliveries: ${range}: ${sum}`];
  return [
    `${paint.red('✘')} deliveries: ${range}: ${sum}, and ${audit.missingCount} of which the ledger knows nothing`,
    ...audit.missing.map((id) => `    ${id}`),
    ...(audit.missingCount > audit.missing.length ? [`    and ${audit.missingCount - audit.missing.length} more`] : []),
  ];
}
