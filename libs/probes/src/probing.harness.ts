import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { checkSchema, type Check } from '@tocsin/contracts';
import type { Clock, ProbeResult } from '@tocsin/domain';
import { EventLoopGuard } from './event-loop-guard.js';
import { NameResolver } from './name-resolver.js';
import { runCheck, type ProbeDeps } from './run-check.js';

const clock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

/** Servers that are stopped with everything that hangs on them, and probes of them. */
export class Probing {
  readonly guard = new EventLoopGuard(clock);
  readonly deps: ProbeDeps = { clock, guard: this.guard, resolver: new NameResolver({ clock }) };
  readonly #servers: { server: Server; sockets: Set<Socket> }[] = [];

  /** Puts `server` on a free port. */
  async listen(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    this.#servers.push({ server, sockets });
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async stopServers(): Promise<void> {
    for (const { server, sockets } of this.#servers.splice(0)) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  check(spec: Record<string, unknown>): Check {
    if (spec['type'] === 'heartbeat') return this.heartbeat(spec);
    return checkSchema.parse({ type: 'http', timeout: '400ms', ...spec });
  }

  heartbeat(spec: Record<string, unknown>): Check {
    const { timeout: _none, ...rest } = spec;
    return checkSchema.parse({ type: 'heartbeat', ...rest });
  }

  /** The result of a check that was not void. */
  async probe(spec: Record<string, unknown>): Promise<ProbeResult> {
    const result = await runCheck(this.check(spec), this.deps);
    if (result.kind === 'void') throw new Error(`void: ${result.detail}`);
    return result;
  }
}

/** A self-signed certificate for `edge.test`, and its key. */
export async function selfSigned(days: number): Promise<{ key: string; cert: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'tocsin-probes-'));
  try {
    const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days)],
      ...['-keyout', keyFile, '-out', certFile, '-subj', '/CN=edge.test', '-addext', 'subjectAltName=DNS:edge.test'],
    ]);
    return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
