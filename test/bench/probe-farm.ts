import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// A fleet in one process, away from what is measured: one port on every loopback address, a path a node. Spoken to over IPC.

/** What the farm is asked. `forget`: nothing has been asked of it yet, and every node lives. */
export type FarmOrder = { kind: 'kill'; nodes: number[] } | { kind: 'count' } | { kind: 'forget' };

/** What it answers. `first`, `last`: epoch milliseconds of the first probe, and of the moment when every node had been probed. */
export type FarmWord =
  | { kind: 'listening'; port: number }
  | { kind: 'done' }
  | { kind: 'counted'; requests: number; nodes: number; firstMs: number; lastMs: number };

const dead = new Set<number>();
const seen = new Set<number>();
let requests = 0;
let firstMs = 0;
let lastMs = 0;

const server = createServer((request, response) => {
  const node = Number(request.url?.slice(1));
  requests += 1;
  if (!seen.has(node)) {
    seen.add(node);
    lastMs = Date.now();
    if (seen.size === 1) firstMs = lastMs;
  }
  if (dead.has(node)) request.socket.destroy();
  else response.end('ok');
});

const say = (word: FarmWord) => process.send?.(word);

server.listen(0, '0.0.0.0', () => say({ kind: 'listening', port: (server.address() as AddressInfo).port }));

process.on('message', (order: FarmOrder) => {
  switch (order.kind) {
    case 'kill':
      for (const node of order.nodes) dead.add(node);
      say({ kind: 'done' });
      return;
    case 'forget':
      seen.clear();
      dead.clear();
      requests = 0;
      say({ kind: 'done' });
      return;
    case 'count':
      say({ kind: 'counted', requests, nodes: seen.size, firstMs, lastMs });
  }
});
process.on('disconnect', () => process.exit(0));
