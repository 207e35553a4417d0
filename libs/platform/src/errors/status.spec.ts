import { ERROR_CATALOGUE, type ErrorCode } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { codeOfHttpStatus, ERROR_STATUS, GRPC_STATUS } from './status.js';

const codes = Object.keys(ERROR_CATALOGUE) as ErrorCode[];

describe('error status', () => {
  it('maps every code of the catalogue, and nothing else', () => {
    expect(Object.keys(ERROR_STATUS).toSorted()).toEqual([...codes].toSorted());
  });

  it.each(codes)('%s has an HTTP error status and a gRPC error status', (code) => {
    const { http, grpc } = ERROR_STATUS[code];
    expect(http).toBeGreaterThanOrEqual(400);
    expect(http).toBeLessThan(600);
    expect(GRPC_STATUS[grpc]).toBeGreaterThan(0);
  });

  it('never blames the caller in one protocol and the server in the other', () => {
    const ofTheServer = new Set(['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'DEADLINE_EXCEEDED', 'UNKNOWN']);
    for (const code of codes) {
      const { http, grpc } = ERROR_STATUS[code];
      expect([code, http >= 500]).toEqual([code, ofTheServer.has(grpc)]);
    }
  });

  it('tells callers to retry exactly what the catalogue calls retryable', () => {
    const retried = new Set([429, 503, 504]);
    for (const code of codes) {
      expect([code, retried.has(ERROR_STATUS[code].http)]).toEqual([code, ERROR_CATALOGUE[code].retryable]);
    }
  });

  it('shows no detail of an error that is answered with 500', () => {
    for (const code of codes) {
      if (ERROR_STATUS[code].http === 500) expect([code, ERROR_STATUS[code].shown]).toEqual([code, false]);
    }
  });

  it.each([400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 503, 504])(
    'leads from HTTP %i to a code that leads back',
    (status) => {
      expect(ERROR_STATUS[codeOfHttpStatus(status)].http).toBe(status);
    },
  );

  it('blames the caller for other 4xx and itself for other 5xx', () => {
    expect(codeOfHttpStatus(418)).toBe('TCN_MALFORMED');
    expect(codeOfHttpStatus(500)).toBe('TCN_INTERNAL');
    expect(codeOfHttpStatus(599)).toBe('TCN_INTERNAL');
  });
});
