import { type ArgumentsHost, UnauthorizedException } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { firstValueFrom, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../logging/logger.js';
import { pathOf, ProblemFilter } from './problem-filter.js';

const lines: string[] = [];
const filter = new ProblemFilter(
  createLogger({ name: 'test', level: 'debug', destination: { write: (line) => void lines.push(line) } }),
);
const rpcHost = { getType: () => 'rpc' } as ArgumentsHost;

describe('ProblemFilter over gRPC', () => {
  it.each([
    [new TocsinError('TCN_VERSION_CONFLICT', 'at 3'), 10, 'TCN_VERSION_CONFLICT: at 3'],
    [new UnauthorizedException('no'), 16, 'TCN_UNAUTHENTICATED: no'],
    [new Error('password hunter2'), 13, 'TCN_INTERNAL: Something went wrong inside Tocsin'],
  ])('answers %s with status %i', async (thrown, code, details) => {
    const answer = filter.catch(thrown, rpcHost) as Observable<never>;
    await expect(firstValueFrom(answer)).rejects.toEqual({ code, details, message: details });
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
