import type { FleetEntry, WithheldEntry, WithheldPage } from '@tocsin/contracts';
import type { ServerOptions } from '../command-line/arguments.js';
import { cell, printJson, printTable } from '../command-line/output.js';
import { paintState } from '../command-line/paint.js';
import { ageText, labelsText } from '../command-line/table.js';
import { withClient } from '../server/connection.js';
import { allItems, withQuery } from '../server/query.js';

export interface FleetOptions {
  /** RFC 3339. */
  at?: string;
  labels?: string[];
  limit?: number;
  json?: boolean;
}

export interface WithheldOptions {
  subject?: string;
  because?: string;
  state?: string;
  labels?: string[];
  limit: number;
  json?: boolean;
}

/** Largest page the API gives. */
const PAGE = 1_000;

/** `tocsin fleet`: where every target stands. */
export async function showFleet(options: ServerOptions & FleetOptions): Promise<void> {
  const { at, labels, limit, json } = options;
  const entries = await withClient(options, (client) =>
    allItems<FleetEntry>(client, '/v1/fleet', { at, labels: labels?.join(',') }, limit),
  );
  if (json === true) {
    printJson(entries);
    return;
  }
  const nowMs = at === undefined ? Date.now() : Date.parse(at);
  const rows = entries.map((entry) => [
    cell(`${entry.kind}/${entry.name}`),
    paintState(entry.state),
    ageText(entry.since, nowMs),
    cell([...entry.overlays, ...(entry.stale === true ? ['stale'] : [])].join()),
    entry.told === undefined ? '-' : paintState(entry.told.state),
    cell(entry.observer ?? entry.evidence?.observer),
    cell(labelsText(entry.labels)),
    cell(entry.evidence?.detail),
  ]);
  printTable('targets', ['TARGET', 'STATE', 'FOR', 'OVERLAYS', 'TOLD', 'OBSERVER', 'LABELS', 'LAST WORD'], rows);
}

/** `tocsin withheld`: newest first. */
export async function listWithheld(options: ServerOptions & WithheldOptions): Promise<void> {
  const { subject, because, state, labels, limit, json } = options;
  const entries = await withClient(options, async (client) => {
    const found: WithheldEntry[] = [];
    let before: number | undefined;
    while (found.length < limit) {
      const query = { subject, because, state, labels: labels?.join(','), before };
      const path = withQuery('/v1/withheld', { ...query, limit: Math.min(PAGE, limit - found.length) });
      const page = (await client.call('GET', path)) as WithheldPage;
      found.push(...page.items);
      if (page.next === null) break;
      before = page.next;
    }
    return found;
  });
  if (json === true) {
    printJson(entries);
    return;
  }
  const rows = entries.map((entry) => [
    String(entry.position),
    cell(entry.subject),
    changeText(entry),
    cell(entry.because.join()),
    cell(entry.since),
    entry.released === undefined ? 'held' : `${entry.released.how} at ${entry.released.position}`,
    cell(entry.released?.at),
  ]);
  printTable('withheld changes', ['EVENT', 'TARGET', 'CHANGE', 'BECAUSE', 'SINCE', 'RELEASED', 'WHEN'], rows);
}

function changeText({ type, from, to }: WithheldEntry): string {
  if (from === undefined || to === undefined) return type.slice(type.lastIndexOf('.') + 1);
  return `${paintState(from)} → ${paintState(to)}`;
}
