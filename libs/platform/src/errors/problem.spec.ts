import { ForbiddenException, InternalServerErrorException } from '@nestjs/common';
import { problemSchema } from '@tocsin/contracts';
import { ERROR_CATALOGUE, type ErrorCode, TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { problemHeaders, toProblem, toTocsinError } from './problem.js';

const codes = Object.keys(ERROR_CATALOGUE) as ErrorCode[];

describe('toTocsinError', () => {
  it('leaves an error with a code as it is', () => {
    const error = new TocsinError('TCN_CONFLICT', 'x');
    expect(toTocsinError(error)).toBe(error);
  });

  it('makes faults of a zod error', () => {
    const result = z.strictObject({ a: z.object({ 'b/c': z.string() }) }).safeParse({ a: { 'b/c': 1 }, d: 1 });
    expect(toTocsinError(result.error)).toMatchObject({
      code: 'TCN_INVALID',
      faults: [{ pointer: '/a/b~1c' }, { pointer: '/d', detail: 'unknown field' }],
    });
  });

  it('reads the status of an error of the framework', () => {
    expect(toTocsinError(new ForbiddenException()).code).toBe('TCN_FORBIDDEN');
    expect(toTocsinError(new InternalServerErrorException()).code).toBe('TCN_INTERNAL');
  });

  it.each([[new Error('x')], ['text'], [undefined], [null], [{ code: 'TCN_INVALID' }]])(
    'takes anything else for a fault of ours: %j',
    (thrown) => {
      expect(toTocsinError(thrown).code).toBe('TCN_INTERNAL');
    },
  );
});

describe('toProblem', () => {
  it.each(codes)('makes a document of the contract for %s', (code) => {
    const error = new TocsinError(code, 'detail', { faults: [{ pointer: '/a', detail: 'wrong' }] });
    const problem = toProblem(error, '/v1/x');
    expect(problemSchema.parse(problem)).toEqual(problem);
    expect(problem).toMatchObject({ code, type: `urn:tocsin:error:${code}`, title: ERROR_CATALOGUE[code].title });
  });

  it('leaves out what there is not', () => {
    const problem = toProblem(new TocsinError('TCN_CONFLICT', 'x'));
    expect(problem).not.toHaveProperty('errors');
    expect(problem).not.toHaveProperty('instance');
  });

  it('shows the title in place of a detail that was written for the log', () => {
    expect(toProblem(new TocsinError('TCN_INTERNAL', 'secret')).detail).toBe('Something went wrong inside Tocsin');
    expect(toProblem(new TocsinError('TCN_NATS_UNREACHABLE', 'nats.internal')).detail).toBe('NATS cannot be reached');
  });
});

describe('problemHeaders', () => {
  it('says when to retry where the caller is asked to wait, and nowhere else', () => {
    const at = (code: ErrorCode) => problemHeaders(new TocsinError(code, 'x', { retryAfterMs: 1 }))['retry-after'];
    expect(at('TCN_OVERLOADED')).toBe('1');
    expect(at('TCN_UNAVAILABLE')).toBe('1');
    expect(at('TCN_CONFLICT')).toBeUndefined();
    expect(problemHeaders(new TocsinError('TCN_OVERLOADED', 'x'))).not.toHaveProperty('retry-after');
  });

  it('names the scheme with 401 only', () => {
    expect(problemHeaders(new TocsinError('TCN_UNAUTHENTICATED', 'x'))).toHaveProperty('www-authenticate');
    expect(problemHeaders(new TocsinError('TCN_FORBIDDEN', 'x'))).not.toHaveProperty('www-authenticate');
  });
});
