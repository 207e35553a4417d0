import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { UsageError } from '../command-line/exit.js';
import { note, print, printJson, printTable } from '../command-line/output.js';
import { type ProfileBook, profilesPath, ProfileStore } from './profiles.js';

const store = () => new ProfileStore(profilesPath(process.env));

/** `tocsin profiles add`: keeps a server under a name; the first one is in use from then on. */
export async function addProfile(
  name: string,
  options: { url: string; apiKeyFile?: string; use?: boolean },
): Promise<void> {
  const profiles = store();
  const book = await profiles.read();
  const apiKey = await keyOf(options.apiKeyFile);
  book.profiles[name] = { url: options.url, ...(apiKey === undefined ? {} : { apiKey }) };
  if (options.use === true || book.current === undefined) book.current = name;
  await profiles.write(book);
  note(`profile ${name} is kept in ${profiles.path}${book.current === name ? ', and in use' : ''}`);
  if (apiKey === undefined) note('it has no API key: TOCSIN_API_KEY is needed beside it');
}

/** `tocsin profiles use`: what is meant from now on where nothing else is said. */
export async function useProfile(name: string): Promise<void> {
  const profiles = store();
  const book = await profiles.read();
  requireProfile(book, name);
  await profiles.write({ ...book, current: name });
  note(`profile ${name} is in use`);
}

/** `tocsin profiles remove`: forgets servers and their keys. */
export async function removeProfiles(names: readonly string[]): Promise<void> {
  const profiles = store();
  const book = await profiles.read();
  for (const name of names) requireProfile(book, name);
  const left = Object.fromEntries(Object.entries(book.profiles).filter(([name]) => !names.includes(name)));
  const stays = book.current !== undefined && !names.includes(book.current);
  await profiles.write({ ...(stays ? { current: book.current } : {}), profiles: left });
}

/** `tocsin profiles list`: keys are not shown. */
export async function listProfiles(options: { json?: boolean }): Promise<void> {
  const { current, profiles } = await store().read();
  const all = Object.entries(profiles).map(([name, { url, apiKey }]) => ({
    name,
    url,
    current: name === current,
    hasKey: apiKey !== undefined,
  }));
  if (options.json === true) {
    printJson(all);
    return;
  }
  const rows = all.map((one) => [one.current ? '*' : '', one.name, one.url, one.hasKey ? 'yes' : 'no']);
  printTable('profiles', ['', 'NAME', 'URL', 'KEY'], rows);
}

/** Prints the names, for completion. */
export async function profileNames(): Promise<void> {
  for (const name of Object.keys((await store().read()).profiles)) print(name);
}

function requireProfile(book: ProfileBook, name: string): void {
  if (!Object.hasOwn(book.profiles, name)) throw new UsageError(`there is no profile "${name}"`);
}

/** A key never stands on the command line, where other users and the shell's history see it. */
async function keyOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return process.env['TOCSIN_API_KEY'] === '' ? undefined : process.env['TOCSIN_API_KEY'];
  let text: string;
  try {
    text = file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the API key cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const key = text.trim();
  if (key === '') throw new UsageError(`${file === '-' ? 'standard input' : file} is empty: there is no API key in it`);
  return key;
}
