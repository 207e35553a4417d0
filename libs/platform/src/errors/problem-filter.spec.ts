import { type ArgumentsHost, UnauthorizedException } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { firstValueFrom, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../logging/logger.js';
import { pathOf } from '../http/path-of.js';
import { ProblemFilter } from './problem-filter.js';

const lines: string[] = [];
const filter = new ProblemFilter(
  createLogger({ name: 'test', level: 'debug', destination: { write: (line) => void lines.push(line) } }),
);
const call = { getPath: () => '/tocsin.v1.EventLog/Read', getPeer: () => '127.0.0.1:4711' };
const rpcHost = {
  getType: () => 'rpc',
  switchToRpc: () => ({ getContext: () => ({}) }),
  getArgByIndex: (index: number) => [{}, {}, call][index],
} as unknown as ArgumentsHost;

describe('ProblemFilter over gRPC', () => {
  it.each([
    [new TocsinError('TCN_VERSION_CONFLICT', 'at 3'), 10, 'TCN_VERSION_CONFLICT: at 3'],
    [new UnauthorizedException('no'), 16, 'TCN_UNAUTHENTICATED: no'],
    [new Error('password hunter2'), 13, 'TCN_INTERNAL: Something went wrong inside Tocsin'],
  ] as const)('answers %s with status %i', async (thrown, code, details) => {
    const answer = filter.catch(thrown, rpcHost) as Observable<never>;
    const [reason] = details.split(':');
    const failure = { code, details, message: details, reason, faults: [], retryAfterMs: undefined };
    await expect(firstValueFrom(answer)).rejects.toEqual(failure);
  });

  it('hands on what the transport makes details of', async () => {
    const faults = [{ pointer: 'target.kind', detail: 'must be a kind' }];
    const error = new TocsinError('TCN_OVERLOADED', 'later', { faults, retryAfterMs: 1_500 });
    const answer = filter.catch(error, rpcHost) as Observable<never>;
    await expect(firstValueFrom(answer)).rejects.toMatchObject({
      faults,
      reason: 'TCN_OVERLOADED',
      retryAfterMs: 1_500,
    });
  });

  it('logs a denied call once, by the name of the call', () => {
    const denied = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ code }) => code === 'TCN_UNAUTHENTICATED');
    expect(denied).toMatchObject([
      { msg: 'call denied', level: 'warn', call: '/tocsin.v1.EventLog/Read', remote: '127.0.0.1:4711', reason: 'no' },
    ]);
  });

  it('logs what was not shown', () => {
    expect(lines.some((line) => line.includes('hunter2'))).toBe(true);
  });
});

describe('pathOf', () => {
  it.each([
    ['/a/b', '/a/b'],
    ['/a?b=c?d', '/a'],
    ['/a#b', '/a'],
    ['*', '*'],
  ])('%s → %s', (target, path) => {
    expect(pathOf(target)).toBe(path);
  });
});
