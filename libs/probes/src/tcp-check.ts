import type { Socket } from 'node:net';
import type { TcpCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { failed, passed, type Finding } from './finding.js';
import type { NameResolver } from './name-resolver.js';

/** A greeting that has not come within this much is none. */
const MAX_BYTES = 64 * 1024;

/** Connects, says and hears what the check wants said and heard. */
export async function checkTcp(check: TcpCheck, attempt: Attempt, resolver: NameResolver): Promise<Finding> {
  const socket = await openConnection(check.host, check.port, attempt, resolver);
  if (check.send === undefined && check.expect === undefined) return passed(`connected to ${attempt.peer}`);
  attempt.enter('request');
  if (check.send !== undefined) await write(socket, check.send);
  const { expect } = check;
  if (expect === undefined) return passed(`sent ${Buffer.byteLength(check.send ?? '')} bytes to ${attempt.peer}`);
  const heard = await hears(socket, Buffer.from(expect));
  attempt.enter('assert');
  if (!heard) return failed('assert', `${attempt.peer} did not say ${JSON.stringify(expect)}`);
  return passed(`${attempt.peer} said ${JSON.stringify(expect)}`);
}

function write(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Did the text come before the peer ended, or had said too much? */
function hears(socket: Socket, text: Buffer): Promise<boolean> {
  let heard = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.includes(text)) resolve(true);
      else if (heard.length >= MAX_BYTES) resolve(false);
    });
    socket.on('end', () => resolve(false));
    socket.on('error', reject);
  });
}
