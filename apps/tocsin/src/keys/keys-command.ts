import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { ServerOptions } from '../command-line/arguments.js';
import { UsageError } from '../command-line/exit.js';
import { note, print, printJson } from '../command-line/output.js';
import { withClient } from '../server/connection.js';

/** What a new key may do. */
export interface KeyOptions extends ServerOptions {
  role: string;
  /** `name=value` each. */
  labels?: string[];
  description?: string;
  expires?: string;
  json?: boolean;
}

/** `tocsin keys create`: the key goes to standard output alone, so that it can be piped where it belongs. */
export async function createKey(name: string, options: KeyOptions): Promise<void> {
  const { role, description, expires, labels } = options;
  const body = {
    role,
    ...(labels === undefined ? {} : { labels: Object.fromEntries(labels.map(labelOf)) }),
    ...(description === undefined ? {} : { description }),
    ...(expires === undefined ? {} : { expiresAt: expires }),
  };
  const made = (await withClient(options, async (client) => {
    try {
      // A key that exists would be changed and not shown.
      const headers = { 'if-none-match': '*' };
      const response = await client.open('PUT', `/v1/keys/${encodeURIComponent(name)}`, { body, headers });
      return await response.json();
    } catch (error) {
      if (!isTocsinError(error, 'TCN_PRECONDITION_FAILED')) throw error;
      throw new TocsinError(
        'TCN_CONFLICT',
        `there is a key "${name}" already; revoke it first, or choose another name`,
        {
          cause: error,
        },
      );
    }
  })) as { key: string };
  if (options.json === true) {
    printJson(made);
    return;
  }
  print(made.key);
  note(`the API key ${name} with role ${role}, shown this once`);
}

function labelOf(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new UsageError(`"${text}" must be name=value; several are separated by commas`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
