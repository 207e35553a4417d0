import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { requireFreePort } from './free-port.js';

describe('a port that is needed', () => {
  it.each(['TOCSIN_HTTP_PORT', 'TOCSIN_GRPC_PORT'] as const)('by %s may be free, and is left so', async (variable) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(requireFreePort('127.0.0.1', port, variable)).rejects.toMatchObject({
      code: 'TCN_PORT_IN_USE',
      message: `127.0.0.1:${port} is already in use; ${variable} chooses another port`,
    });
    server.close();
    await once(server, 'close');
    await requireFreePort('127.0.0.1', port, variable);
    await requireFreePort('127.0.0.1', port, variable);
  });
});
