import type { Appended, AppendRequest } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { systemClock } from '@tocsin/platform';
import { describe, expect, it, vi } from 'vitest';
import { type LocalLeader, LogWriter } from './log-writer.js';

const REQUEST: AppendRequest = {
  events: [{ id: 'a', source: 's', type: 't', subject: 'x', time: '2030-01-01T00:00:00.000Z' }],
};
const HERE: Appended[] = [{ id: 'a', position: 1, version: 1, recordedAt: '', repeated: false }];
const ELSEWHERE: Appended[] = [{ id: 'a', position: 2, version: 1, recordedAt: '', repeated: false }];

function leader() {
  const listeners = new Set<() => void>();
  const state = { leading: false };
  const local: LocalLeader = {
    get leading() {
      return state.leading;
    },
    append: async () => HERE,
    onLeading: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return {
    local,
    listeners,
    lead: () => {
      state.leading = true;
      for (const listener of listeners) listener();
    },
  };
}

function writer(local: LocalLeader, request: () => Promise<unknown>): LogWriter {
  // The broker's own overloads say more than this test needs.
  return new LogWriter(local, { request: request as never }, systemClock, () => 0.5);
}

describe('LogWriter', () => {
  it('appends here while this process leads, without the broker', async () => {
    const { local, lead } = leader();
    lead();
    const request = vi.fn<() => Promise<unknown>>(async () => ({ events: ELSEWHERE }));
    expect(await writer(local, request).append(REQUEST)).toBe(HERE);
    expect(request).not.toHaveBeenCalled();
  });

  it('asks the leader elsewhere otherwise, and leaves no listener behind', async () => {
    const { local, listeners } = leader();
    expect(await writer(local, async () => ({ events: ELSEWHERE })).append(REQUEST)).toBe(ELSEWHERE);
    expect(listeners.size).toBe(0);
  });

  it('does not wait for the answer of a dead leader once this process leads', async () => {
    const { local, lead } = leader();
    const appending = writer(local, () => new Promise(() => undefined)).append(REQUEST);
    lead();
    expect(await appending).toBe(HERE);
  });

  it('repeats what nobody answered until somebody does', async () => {
    const { local } = leader();
    let asked = 0;
    const answer = await writer(local, async () => {
      asked += 1;
      if (asked < 4) throw new TocsinError('TCN_UNAVAILABLE', 'nobody answers');
      return { events: ELSEWHERE };
    }).append(REQUEST);
    expect([answer, asked]).toEqual([ELSEWHERE, 4]);
  });

  it('tells a conflict at once', async () => {
    const { local } = leader();
    const conflict = new TocsinError('TCN_VERSION_CONFLICT', 'moved on');
    await expect(writer(local, () => Promise.reject(conflict)).append(REQUEST)).rejects.toBe(conflict);
  });
});
