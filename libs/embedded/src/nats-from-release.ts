import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { fileInTar } from './tar.js';

const VERSION = '2.15.0';

// From the SHA256SUMS published beside the release. A change of VERSION changes all four.
const SHA256: Readonly<Record<string, string>> = {
  'darwin-amd64': '5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95',
  'darwin-arm64': 'e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8',
  'linux-amd64': '5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92',
  'linux-arm64': 'cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112',
};

const CONNECT_MS = 5_000;
// 7 MB: at 1 Mbit/s one minute.
const DOWNLOAD_MS = 120_000;

/** Another place and other checksums than the NATS project's, for tests. */
export interface Release {
  /** Where the releases' folders are. */
  baseUrl: string;
  /** SHA-256 of the archive, by platform: `linux-amd64`. */
  sha256: Readonly<Record<string, string>>;
}

const OFFICIAL: Release = { baseUrl: 'https://github.com/nats-io/nats-server/releases/download', sha256: SHA256 };

/**
 * Downloads the pinned release of the NATS project and checks it against the checksum written here.
 * @param folder where the program is put
 * @throws Error with a one-line reason.
 */
export async function natsFromRelease(folder: string, release: Release = OFFICIAL): Promise<string> {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const expected = release.sha256[platform];
  if (expected === undefined) throw new Error(`no checksum is known for ${platform}`);
  const name = `nats-server-v${VERSION}-${platform}`;
  const archive = await download(`${release.baseUrl}/v${VERSION}/${name}.tar.gz`);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) throw new Error(`the archive has SHA-256 ${actual} instead of ${expected}`);
  const binary = fileInTar(await promisify(gunzip)(archive), `${name}/nats-server`);
  if (binary === undefined) throw new Error('the archive holds no nats-server');
  const path = join(folder, 'nats-server');
  await writeFile(path, binary, { mode: 0o755 });
  return path;
}

async function download(url: string): Promise<Buffer> {
  const abort = new AbortController();
  const connect = setTimeout(() => abort.abort(new Error(`no answer within ${CONNECT_MS} ms`)), CONNECT_MS);
  const whole = setTimeout(() => abort.abort(new Error(`not complete after ${DOWNLOAD_MS} ms`)), DOWNLOAD_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(connect);
    if (!response.ok) throw new Error(`it answered with status ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    // fetch says "fetch failed" and keeps the reason in `cause`.
    const cause = error instanceof Error ? error.cause : undefined;
    throw new Error(cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  } finally {
    clearTimeout(connect);
    clearTimeout(whole);
  }
}
