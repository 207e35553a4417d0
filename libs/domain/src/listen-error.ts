import { TocsinError } from './errors.js';

/** Codes of Node for an address that is not this machine's, or not open to this process. */
const NOT_OURS = new Set(['EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * Why a server could not listen, as a person can act on it: `TCN_PORT_IN_USE` or `TCN_CONFIG`, naming host and port. Anything else is
 * returned as it is.
 * @param variable the environment variable that says which port it is
 */
export function listenError(error: unknown, address: { host: string; port: number; variable: string }): unknown {
  const { host, port, variable } = address;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (code === 'EADDRINUSE') {
    return new TocsinError('TCN_PORT_IN_USE', `${where} is already in use; set ${variable} to another port`, {
      cause: error,
    });
  }
  if (typeof code === 'string' && NOT_OURS.has(code)) {
    return new TocsinError('TCN_CONFIG', `cannot listen on ${where} (${code})`, { cause: error });
  }
  return error;
}
