import { TocsinError } from '@tocsin/domain';
import { freePort, isPortFree } from './free-port.js';

// Another program may take the free port before the server does; five times in a row is something else.
const ATTEMPTS = 5;

/**
 * Launches a server on the wanted port, or on a free one, with another try where somebody was faster.
 * @throws TocsinError TCN_PORT_IN_USE if the wanted port is taken; whatever `launch` throws.
 */
export async function launchOnPort<T>(
  wanted: number | undefined,
  launch: (port: number) => Promise<T>,
): Promise<{ server: T; port: number }> {
  if (wanted !== undefined && wanted !== 0) {
    if (!(await isPortFree(wanted))) throw new TocsinError('TCN_PORT_IN_USE', `127.0.0.1:${wanted} is already in use`);
    return { server: await launch(wanted), port: wanted };
  }
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { server: await launch(port), port };
    } catch (error) {
      if (attempt === ATTEMPTS || (await isPortFree(port))) throw error;
    }
  }
}
