import type { ServerOptions } from '../command-line/arguments.js';
import { note, print, printJson, printTable } from '../command-line/output.js';
import { withClient } from '../server/connection.js';
import { EVENT_COLUMNS, eventCells, eventLine, type ShownEvent } from './event-line.js';
import { eventsAfter, headOf, newestEvents } from './newest-events.js';
import { tailEvents } from './tail.js';

interface FilterOptions {
  type?: string[];
  subject?: string;
}

/** `tocsin events list`: the newest events, or those after a position; oldest first. */
export async function listEvents(
  options: ServerOptions & FilterOptions & { after?: number; limit: number; json?: boolean },
): Promise<void> {
  const filter = { types: options.type, subject: options.subject };
  const events = await withClient(options, (client) =>
    options.after === undefined
      ? newestEvents(client, options.limit, filter)
      : eventsAfter(client, options.after, options.limit, filter),
  );
  if (options.json === true) printJson(events);
  else printTable('events', EVENT_COLUMNS, events.map(eventCells));
}

/** `tocsin events get`: one event as it was recorded. */
export async function getEvent(key: string, options: ServerOptions): Promise<void> {
  printJson(await withClient(options, (client) => client.call('GET', `/v1/events/${encodeURIComponent(key)}`)));
}

/** `tocsin events tail`: what is recorded from now on, until Ctrl-C; a lost connection is taken up where it broke. */
export async function tail(
  options: ServerOptions & FilterOptions & { after?: number; count?: number; json?: boolean },
): Promise<void> {
  const done = new AbortController();
  process.once('SIGINT', () => done.abort()).once('SIGTERM', () => done.abort());
  await withClient(options, async (client) => {
    const events = tailEvents(client, {
      // From a known position on, so that nothing falls between this connection and the next.
      after: options.after ?? (await headOf(client)),
      types: options.type,
      subject: options.subject,
      signal: done.signal,
      onLost: (error) => note(`the connection is lost, trying again (${error.message})`),
      onBack: () => note('the connection is back'),
    });
    let shown = 0;
    for await (const event of events) {
      print(options.json === true ? JSON.stringify(event) : eventLine(event satisfies ShownEvent));
      shown += 1;
      if (shown === options.count) break;
    }
  });
}
