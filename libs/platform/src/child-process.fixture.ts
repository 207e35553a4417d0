// Programs of their own, for specs about what only a process has: signals, exit codes, what is loaded before the program.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const LIBRARY = fileURLToPath(new URL('..', import.meta.url));

/** A running program. */
export interface Child {
  process: ChildProcess;
  output: () => string;
  /** The first line that matches, as soon as it is there. */
  line: (pattern: RegExp) => Promise<RegExpExecArray>;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const children: ChildProcess[] = [];
const servers: Server[] = [];
/** Ends what is left of the children and servers; for `afterEach`. */
export function cleanUp(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close().closeAllConnections();
}

/** Runs a program of its own that imports this library from source. */
export function run(code: string, env: Record<string, string> = {}, ...options: string[]): Child {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@tocsin/source',
      '--import',
      '@oxc-node/core/register',
      ...options,
      '--input-type=module',
      '-e',
      code,
    ],
    { cwd: LIBRARY, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  let output = '';
  let notify = (): void => undefined;
  const collect = (chunk: Buffer) => {
    output += chunk.toString();
    notify();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (exitCode, signal) => resolve({ code: exitCode, signal })),
  );
  return {
    process: child,
    output: () => output,
    exited,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        notify = () => {
          const match = pattern.exec(output);
          if (match !== null) resolve(match);
        };
        notify();
        void exited.then(() => reject(new Error(`ended without ${pattern}:\n${output}`)));
      }),
  };
}

/** An HTTP server on a free port; gives its address. */
export async function serve(
  answer: (path: string, headers: IncomingHttpHeaders, body: string) => string,
): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(answer(request.url ?? '', request.headers, Buffer.concat(chunks).toString()));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A service with one route that calls $RECEIVER, and a module that takes its time to stop. */
export const SERVICE = `
  import { Controller, Injectable, Module, Post } from '@nestjs/common';
  import * as platform from '@tocsin/platform';
  const logger = platform.createLogger({ name: 'test', format: 'json' });
  class Caller {
    async call() {
      logger.info('calling');
      const response = await fetch(process.env.RECEIVER, { method: 'POST', headers: { authorization: 'secret-key' } });
      return response.json();
    }
  }
  Post('v1/heartbeats/:token')(Caller.prototype, 'call', Object.getOwnPropertyDescriptor(Caller.prototype, 'call'));
  platform.Public()(Caller);
  Controller()(Caller);
  class Worker {
    async onApplicationShutdown() {
      if (process.env.STOP === 'fails') throw new Error('cannot stop');
      if (process.env.STOP === 'hangs') await new Promise(() => setInterval(() => {}, 1000));
      logger.info('worker stopped');
    }
  }
  Injectable()(Worker);
  class Service {}
  Module({ controllers: [Caller], providers: [Worker] })(Service);
  const running = await platform.bootstrap(Service, {
    name: 'test', host: '127.0.0.1', port: 0, verifier: { verify: async () => undefined },
    context: { logger, clock: platform.systemClock, random: Math.random, readiness: new platform.ReadinessRegistry() },
    afterClose: async () => {
      if (process.env.AFTER_CLOSE === 'fails') throw new Error('cannot close');
      logger.info('broker closed');
    },
  });
  console.log('URL=' + running.url + '.');
`;

/** Where the {@link SERVICE} listens, once it does. */
export async function urlOf(child: Child): Promise<string> {
  return (await child.line(/URL=(.*)\./))[1] ?? '';
}
