import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as a service sees it. */
export interface ServiceRequest {
  method: string;
  /** Path without query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface ServiceAnswer {
  status: number;
  json?: unknown;
}

/** A well-behaved HTTP service: status and JSON for each request. */
export interface HttpService {
  url: string;
  requests: ServiceRequest[];
  close(): Promise<void>;
}

/** Starts one on loopback. */
export async function httpService(
  answer: (request: ServiceRequest) => ServiceAnswer | Promise<ServiceAnswer>,
): Promise<HttpService> {
  const requests: ServiceRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => (text += chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://localhost');
      const { method = '', headers } = incoming;
      const request = { method, path: url.pathname, query: url.searchParams, headers, text };
      requests.push(request);
      void Promise.resolve(answer(request)).then(({ status, json }) => {
        outgoing.writeHead(status, { 'content-type': 'application/json' });
        outgoing.end(json === undefined ? '' : JSON.stringify(json));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
