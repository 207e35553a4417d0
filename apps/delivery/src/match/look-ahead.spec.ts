import type { RecordedEvent } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import type { LogPage, LogRequest } from './log-source.js';
import { AHEAD, LookAhead } from './look-ahead.js';

const HEAD = 1_000;

function logOf(mostAtOnce = Number.POSITIVE_INFINITY) {
  const asked: LogRequest[] = [];
  const failing = { next: false };
  const read = async (request: LogRequest): Promise<LogPage> => {
    asked.push(request);
    if (failing.next) {
      failing.next = false;
      throw new Error('no recorder');
    }
    const length = Math.max(Math.min(request.limit, mostAtOnce, HEAD - request.after), 0);
    const events = Array.from({ length }, (_, n) => ({ position: request.after + n + 1 }) as RecordedEvent);
    return { events, next: request.after + length, head: HEAD };
  };
  return { asked, failing, ahead: new LookAhead(read) };
}

const positionsOf = async (events: Promise<RecordedEvent | undefined>[]): Promise<(number | undefined)[]> =>
  (await Promise.all(events)).map((event) => event?.position);

describe('LookAhead', () => {
  it('reads what follows one another a page at a time, also while the page is on its way', async () => {
    const { ahead, asked } = logOf();
    const wanted = Array.from({ length: 150 }, (_, n) => 10 + 2 * n);
    expect(await positionsOf(wanted.map((position) => ahead.at(position)))).toEqual(wanted);
    expect(asked.length).toBeLessThanOrEqual(Math.ceil(300 / AHEAD) + 1);
  });

  it('reads what is asked for here and there alone', async () => {
    const { ahead, asked } = logOf();
    expect(await positionsOf([900, 5, 700, 300].map((position) => ahead.at(position)))).toEqual([900, 5, 700, 300]);
    expect(asked.map(({ limit }) => limit)).toEqual([1, 1, 1, 1]);
  });

  it('reads on where a page of large events ends before what is wanted', async () => {
    const { ahead } = logOf(3);
    const wanted = Array.from({ length: 20 }, (_, n) => n + 1);
    expect(await positionsOf(wanted.map((position) => ahead.at(position)))).toEqual(wanted);
  });

  it('finds nothing behind the end of the log, and what has come since then', async () => {
    const { ahead } = logOf();
    expect(await positionsOf([HEAD - 1, HEAD, HEAD + 1].map((position) => ahead.at(position)))).toEqual([
      HEAD - 1,
      HEAD,
      undefined,
    ]);
  });

  it('asks again after a failure', async () => {
    const { ahead, failing } = logOf();
    await ahead.at(7);
    failing.next = true;
    await expect(ahead.at(8)).rejects.toThrow('no recorder');
    expect((await ahead.at(8))?.position).toBe(8);
  });
});
