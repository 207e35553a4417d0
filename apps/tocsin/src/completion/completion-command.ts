import type { Command } from 'commander';
import type { ServerOptions } from '../command-line/arguments.js';
import { print } from '../command-line/output.js';
import { currentConnection } from '../server/connection.js';
import { profileNames } from '../server/profiles-command.js';
import { withQuery } from '../server/query.js';
import { completionOf } from './complete.js';
import { SCRIPTS } from './scripts.js';

/** A shell's user waits with the finger on the key. */
const PATIENCE_MS = 1_000;
const MOST_NAMES = 1_000;
/** The last line of an answer: the shell completes a path. */
const FILES = ':files';

/** `tocsin completion`: the script to be read by a shell. */
export function completionScript(shell: string): void {
  process.stdout.write(SCRIPTS[shell as keyof typeof SCRIPTS]);
}

/** What the scripts call: one word a line. Whatever goes wrong, nothing is said: it would land in the middle of a command line. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const { words: known, names, files } = completionOf(program, words);
  for (const word of known) print(word);
  if (files === true) print(FILES);
  if (names === undefined) return;
  try {
    if (names === 'profiles') await profileNames();
    else for (const name of await namesOf(names, words)) print(name);
  } catch {
    // No server, no key, no names.
  }
}

async function namesOf(plural: string, words: readonly string[]): Promise<string[]> {
  const { ApiClient } = await import('@tocsin/client');
  const { url, apiKey } = await currentConnection(serverIn(words));
  if (apiKey === undefined) return [];
  const client = new ApiClient({ url, apiKey, timeoutMs: PATIENCE_MS });
  const page = (await client.call(
    'GET',
    withQuery(`/v1/${plural}`, plural === 'maintenance' ? {} : { limit: MOST_NAMES }),
  )) as {
    items: { name: string }[];
  };
  const prefix = words.at(-1) ?? '';
  return page.items.map(({ name }) => name).filter((name) => name.startsWith(prefix));
}

/** Which server the line that is being written names. */
export function serverIn(words: readonly string[]): ServerOptions {
  const valueOf = (option: string): string | undefined => {
    const at = words.findLastIndex((word) => word === option || word.startsWith(`${option}=`));
    if (at < 0) return undefined;
    return words[at] === option ? words[at + 1] : words[at]?.slice(option.length + 1);
  };
  const [url, profile] = [valueOf('--url'), valueOf('--profile')];
  return { ...(url === undefined ? {} : { url }), ...(profile === undefined ? {} : { profile }) };
}
