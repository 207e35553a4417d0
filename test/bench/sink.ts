import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// A receiver in a process of its own, so that neither side of a comparison pays for it. Takes everything; remembers when each
// request came. `GET /log?from=N` gives what came since, `DELETE /log` forgets, `/hang…` never answers.
const came: [path: string, id: string, at: number][] = [];

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { method, url = '' } = request;
  if (method === 'GET') {
    const from = Number(new URL(url, 'http://sink').searchParams.get('from') ?? 0);
    response.end(JSON.stringify({ count: came.length, came: from < 0 ? [] : came.slice(from) }));
    return;
  }
  if (method === 'DELETE') {
    came.length = 0;
    response.end();
    return;
  }
  const at = performance.timeOrigin + performance.now();
  request.resume();
  request.once('end', () => {
    came.push([url, String(request.headers['webhook-id']), at]);
    if (url.startsWith('/hang')) return;
    response.statusCode = 204;
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`sink ${(server.address() as AddressInfo).port}\n`));
