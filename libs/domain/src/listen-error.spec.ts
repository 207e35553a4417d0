import { describe, expect, it } from 'vitest';
import { listenError } from './listen-error.js';

const address = { host: '::1', port: 7071, variable: 'TOCSIN_GRPC_PORT' };
const failure = (code: string): Error => Object.assign(new Error(`listen ${code}`), { code });

describe('listenError', () => {
  it('names a port that is taken, and the variable that says which it is', () => {
    expect(listenError(failure('EADDRINUSE'), address)).toMatchObject({
      code: 'TCN_PORT_IN_USE',
      message: '[::1]:7071 is already in use; set TOCSIN_GRPC_PORT to another port',
    });
  });

  it.each(['EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN'])('takes %s for a wrong configuration', (code) => {
    const error = listenError(failure(code), { ...address, host: 'nowhere' });
    expect(error).toMatchObject({ code: 'TCN_CONFIG', message: `cannot listen on nowhere:7071 (${code})` });
  });

  it('leaves alone what it does not know', () => {
    const error = failure('EMFILE');
    expect(listenError(error, address)).toBe(error);
    expect(listenError('text', address)).toBe('text');
  });
});
