import type { EventStory, Explanation } from '@tocsin/delivery';
import type { ServerOptions } from '../command-line/arguments.js';
import { print, printJson } from '../command-line/output.js';
import { withClient } from '../server/connection.js';
import { withQuery } from '../server/query.js';
import { explanationLines, timelineLines } from './story-lines.js';
import { timeOf } from './when.js';

/** `tocsin explain`: why somebody was told, or was not. */
export async function explain(
  subject: string,
  options: ServerOptions & { for?: string; at?: string; json?: boolean },
): Promise<void> {
  const at = options.at === undefined ? undefined : timeOf(options.at, Date.now());
  const query = { subject, subscription: options.for, at };
  const explanation = await withClient(options, (client) => client.call('GET', withQuery('/v1/explain', query)));
  if (options.json === true) printJson(explanation);
  else for (const line of explanationLines(explanation as Explanation)) print(line);
}

/** `tocsin events show`: everything that happened to one event. */
export async function showEvent(key: string, options: ServerOptions & { for?: string; json?: boolean }): Promise<void> {
  const path = withQuery(`/v1/explain/${encodeURIComponent(key)}`, { subscription: options.for });
  const story = await withClient(options, (client) => client.call('GET', path));
  if (options.json === true) printJson(story);
  else for (const line of timelineLines(story as EventStory)) print(line);
}
