import { execFile } from 'node:child_process';
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Debian release (14) whose nats-server is new enough; a static Go program, it runs on older ones as well. */
const SUITE = 'forky';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const COMMAND_MS = 120_000;

/**
 * Takes nats-server from the mirror this Debian machine already uses, without root and without touching its package state: apt gets a
 * state of its own in `folder`.
 * @throws Error with a one-line reason.
 */
export async function natsFromDebian(folder: string): Promise<string> {
  await access(KEYRING).catch(() => {
    throw new Error('this system has no apt with Debian’s keyring');
  });
  const reasons: string[] = [];
  for (const [index, mirror] of (await mirrors()).entries()) {
    try {
      return await fromMirror(mirror, join(folder, `apt-${index}`));
    } catch (error) {
      reasons.push(lastLine(error));
    }
  }
  throw new Error(
    reasons.length === 0 ? 'apt knows no mirror' : `apt found no ${SUITE} nats-server (${reasons.join('; ')})`,
  );
}

/** The archives apt is set up with, those of the distribution proper first. */
async function mirrors(): Promise<string[]> {
  const format = '$(REPO_URI) $(CODENAME)';
  const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Identifier: Packages'], {
    timeout: COMMAND_MS,
  });
  const rows = stdout.split('\n').map((line) => line.split(' '));
  const isProper = (codename = '') => !codename.includes('-');
  const ordered = [...rows.filter((row) => isProper(row[1])), ...rows.filter((row) => !isProper(row[1]))];
  return [...new Set(ordered.flatMap(([uri]) => (uri === undefined || uri === '' ? [] : [uri])))];
}

async function fromMirror(mirror: string, state: string): Promise<string> {
  for (const part of ['lists/partial', 'cache/archives/partial', 'download', 'unpacked']) {
    await mkdir(join(state, part), { recursive: true });
  }
  const sources = join(state, 'sources.list');
  await writeFile(sources, `deb [signed-by=${KEYRING}] ${mirror} ${SUITE} main\n`);
  await writeFile(join(state, 'status'), '');
  const options = Object.entries({
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': join(state, 'none'),
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled': 'false',
    'Acquire::http::Timeout': '5',
    'Acquire::https::Timeout': '5',
    'Acquire::Retries': '1',
    // A list that cannot be fetched is an error, not a warning.
    'APT::Update::Error-Mode': 'any',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const cwd = join(state, 'download');
  await run('apt-get', [...options, '-q', 'update'], { cwd, timeout: COMMAND_MS });
  await run('apt-get', [...options, '-q', 'download', 'nats-server'], { cwd, timeout: COMMAND_MS });
  const archive = (await readdir(cwd)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error('nothing was downloaded');
  await run('dpkg', ['-x', join(cwd, archive), join(state, 'unpacked')], { timeout: COMMAND_MS });
  for (const place of ['usr/sbin', 'usr/bin']) {
    const path = join(state, 'unpacked', place, 'nats-server');
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error('the package holds no nats-server');
}

function lastLine(error: unknown): string {
  const stderr = (error as { stderr?: string }).stderr?.trim();
  const text =
    stderr === undefined || stderr === '' ? (error instanceof Error ? error.message : String(error)) : stderr;
  return text.split('\n').at(-1) ?? text;
}
