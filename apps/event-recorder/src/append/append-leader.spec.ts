import { createLogger } from '@tocsin/platform';
import { TocsinError } from '@tocsin/domain';
import type { Appended, AppendRequest } from '@tocsin/contracts';
import { describe, expect, it, vi } from 'vitest';
import { AppendLeader, type LeaderDuty, type TermAppender } from './append-leader.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const REQUEST: AppendRequest = {
  events: [{ id: 'a', source: 's', type: 't', subject: 'x', time: '2030-01-01T00:00:00.000Z' }],
};
const APPENDED: Appended[] = [{ id: 'a', position: 7, version: 1, recordedAt: '', repeated: false }];

/** One lock for all, as the database has it; `cut` kills the holder's connection. */
function election() {
  let holder: ((error?: Error) => void) | undefined;
  let epoch = 0;
  const closed: number[] = [];
  return {
    closed,
    cut: () => {
      const lost = holder;
      holder = undefined;
      lost?.(new Error('cut'));
    },
    free: () => holder === undefined,
    candidate(append: (epoch: number) => Promise<Appended[]> = async () => APPENDED) {
      const log: string[] = [];
      const duty: LeaderDuty = {
        begin: (_leader, term) => void log.push(`begin ${term}`),
        end: async () => void log.push('end'),
        committed: (position) => void log.push(`committed ${position}`),
      };
      const leader = new AppendLeader({
        acquire: async (onLost) => {
          if (holder !== undefined) return undefined;
          holder = onLost;
          return {
            release: async () => {
              if (holder === onLost) holder = undefined;
            },
          };
        },
        takeOver: async (): Promise<TermAppender> => {
          const own = ++epoch;
          return { epoch: own, append: () => append(own), close: async () => void closed.push(own) };
        },
        duties: [duty],
        logger,
        random: () => 0,
      });
      return { leader, log };
    },
  };
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 2_000, interval: 5 });

describe('AppendLeader', () => {
  it('lets one candidate lead; the other takes over when the first stops', async () => {
    const { candidate, closed } = election();
    const first = candidate();
    const second = candidate();
    first.leader.start();
    await until(() => first.leader.leading);
    second.leader.start();
    expect(await first.leader.append(REQUEST)).toEqual(APPENDED);
    await expect(second.leader.append(REQUEST)).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    await first.leader.stop();
    expect(first.log).toEqual(['begin 1', 'committed 7', 'end']);
    expect(closed).toEqual([1]);
    await until(() => second.leader.leading);
    expect([first.leader.leading, second.leader.epoch]).toEqual([false, 2]);
    await second.leader.stop();
  });

  it('stops leading in the moment the lock is lost, and leads again with a later epoch', async () => {
    const { candidate, cut } = election();
    const only = candidate();
    only.leader.start();
    await until(() => only.leader.leading);
    cut();
    expect(only.leader.leading).toBe(false);
    await until(() => only.leader.epoch === 2);
    expect(only.log).toEqual(['begin 1', 'end', 'begin 2']);
    await only.leader.stop();
  });

  it('gives up the lock when the appender says that it is fenced', async () => {
    const { candidate } = election();
    const only = candidate(async (epoch) => {
      if (epoch === 1) throw new TocsinError('TCN_FENCED', 'later epoch');
      return APPENDED;
    });
    only.leader.start();
    await until(() => only.leader.leading);
    await expect(only.leader.append(REQUEST)).rejects.toMatchObject({ code: 'TCN_FENCED' });
    await until(() => only.leader.epoch === 2);
    expect(await only.leader.append(REQUEST)).toEqual(APPENDED);
    await only.leader.stop();
  });

  it('does not pass for a standby before it has tried the lock', async () => {
    const { candidate } = election();
    const first = candidate();
    const second = candidate();
    expect(first.leader.electionError).toBe('the election has not been decided yet');
    first.leader.start();
    await until(() => first.leader.leading);
    second.leader.start();
    await until(() => second.leader.electionError === undefined);
    expect(second.leader.leading).toBe(false);
    await Promise.all([first.leader.stop(), second.leader.stop()]);
  });

  it('keeps standing while the database cannot be reached, and says why', async () => {
    let reachable = false;
    const leader = new AppendLeader({
      acquire: async () => {
        if (!reachable) throw new TocsinError('TCN_POSTGRES_UNREACHABLE', 'no answer');
        return { release: async () => undefined };
      },
      takeOver: async () => ({ epoch: 1, append: async () => APPENDED, close: async () => undefined }),
      duties: [],
      logger,
      random: () => 0,
    });
    leader.start();
    await until(() => leader.electionError === 'no answer');
    reachable = true;
    await until(() => leader.leading);
    expect(leader.electionError).toBeUndefined();
    await leader.stop();
  });
});
