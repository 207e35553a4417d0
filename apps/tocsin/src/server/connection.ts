import { ApiClient, type ApiClientOptions } from '@tocsin/client';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerOptions } from '../command-line/arguments.js';
import { UsageError } from '../command-line/exit.js';
import { type Profile, profilesPath, ProfileStore } from './profiles.js';

/** Where a standalone Tocsin listens if nobody says otherwise. */
const USUAL_URL = 'http://127.0.0.1:7070';

/** Which server is called, as whom, and who said so. */
export interface Connection {
  url: string;
  /** Undefined where nobody gave one: calls that need none still work. */
  apiKey: string | undefined;
  /** For messages: where the address comes from. */
  urlFrom: string;
  /** For messages: where the key comes from. */
  keyFrom: string | undefined;
}

/** What a connection is resolved from. */
export interface ConnectionSources {
  env: Readonly<Record<string, string | undefined>>;
  profiles: Pick<ProfileStore, 'read'>;
  /** Text of a file; rejects if it cannot be read. */
  readText: (path: string) => Promise<string>;
}

/**
 * Decides which server is meant. What stands on the command line wins over the environment, that over the profile in use, that over
 * the standalone on this machine. A key goes only to whom it was given for: a profile's to the profile's server, the one in the data
 * directory to this machine.
 * @throws UsageError for a profile that does not exist; TocsinError `TCN_CONFIG` if the profiles cannot be read
 */
export async function resolveConnection(options: ServerOptions, sources: ConnectionSources): Promise<Connection> {
  const { env } = sources;
  const profile = await profileOf(options, sources);
  const [url, urlFrom] =
    given(options.url, '--url') ??
    (options.profile === undefined ? given(env['TOCSIN_URL'], 'TOCSIN_URL') : undefined) ??
    (profile === undefined ? [USUAL_URL, 'the default'] : [profile.url, `profile ${profile.name}`]);
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new UsageError(`${urlFrom} must be an absolute http or https URL`);
  }
  const [apiKey, keyFrom] =
    // A profile named on the command line is meant as a whole.
    (options.profile !== undefined && profile?.apiKey !== undefined
      ? [profile.apiKey, `profile ${profile.name}`]
      : undefined) ??
      given(env['TOCSIN_API_KEY'], 'TOCSIN_API_KEY') ??
      (profile?.apiKey !== undefined && sameServer(profile.url, url)
        ? [profile.apiKey, `profile ${profile.name}`]
        : undefined) ??
      (isThisMachine(url) ? await localKey(sources) : undefined) ?? [undefined, undefined];
  // It would be refused as a header, with a message that shows it.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UsageError(
      `the API key of ${keyFrom} has characters that no key has: spaces, line breaks or other than ASCII`,
    );
  }
  return { url, apiKey, urlFrom, keyFrom };
}

/** The connection of this process. */
export function currentConnection(options: ServerOptions): Promise<Connection> {
  return resolveConnection(options, {
    env: process.env,
    profiles: new ProfileStore(profilesPath(process.env)),
    readText: (path) => readFile(path, 'utf8'),
  });
}

/**
 * A client for commands that need a key.
 * @throws TocsinError `TCN_CONFIG` where there is no key; what {@link resolveConnection} throws
 */
export async function connect(
  options: ServerOptions,
  more: Pick<ApiClientOptions, 'timeoutMs'> = {},
): Promise<ApiClient> {
  const connection = await currentConnection(options);
  if (connection.apiKey === undefined) {
    const where = isThisMachine(connection.url) ? `, and there is no ${keyFile(process.env)} here` : '';
    throw new TocsinError(
      'TCN_CONFIG',
      `no API key for ${connection.url}: TOCSIN_API_KEY is not set, no profile has one${where}`,
    );
  }
  return new ApiClient({ ...more, url: connection.url, apiKey: connection.apiKey });
}

/** Runs `work` with a client; an answer "who are you?" says which key was used. */
export async function withClient<T>(
  options: ServerOptions,
  work: (client: ApiClient) => Promise<T>,
  more: Pick<ApiClientOptions, 'timeoutMs'> = {},
): Promise<T> {
  const client = await connect(options, more);
  try {
    return await work(client);
  } catch (error) {
    if (!isTocsinError(error, 'TCN_UNAUTHENTICATED')) throw error;
    const { url, urlFrom, keyFrom } = await currentConnection(options);
    throw new TocsinError(
      error.code,
      `${url} (${urlFrom}) does not know the API key of ${keyFrom ?? 'nowhere'}: ${error.message}`,
      { cause: error },
    );
  }
}

async function profileOf(
  options: ServerOptions,
  { env, profiles }: ConnectionSources,
): Promise<(Profile & { name: string }) | undefined> {
  const book = await profiles.read();
  const [name, from] = given(options.profile, '--profile') ??
    given(env['TOCSIN_PROFILE'], 'TOCSIN_PROFILE') ?? [book.current, ''];
  if (name === undefined) return undefined;
  const profile = book.profiles[name];
  if (profile !== undefined) return { ...profile, name };
  if (from === '') return undefined;
  const known = Object.keys(book.profiles).join(', ');
  throw new UsageError(
    `${from}: there is no profile "${name}" (${known === '' ? '`tocsin profiles add` makes one' : `known: ${known}`})`,
  );
}

function given(value: string | undefined, from: string): [string, string] | undefined {
  return value === undefined || value === '' ? undefined : [value, from];
}

function keyFile(env: ConnectionSources['env']): string {
  return join(env['TOCSIN_DATA_DIR'] ?? '.tocsin', 'api-key');
}

async function localKey({ env, readText }: ConnectionSources): Promise<[string, string] | undefined> {
  const path = keyFile(env);
  try {
    return given((await readText(path)).trim(), path);
  } catch {
    return undefined;
  }
}

/** Only what the machine itself answers; a name such as `localhost.example.net` is another. */
export function isThisMachine(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? '';
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function sameServer(one: string, other: string): boolean {
  return URL.parse(one)?.origin === URL.parse(other)?.origin;
}
