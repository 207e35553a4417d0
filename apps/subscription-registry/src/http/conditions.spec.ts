import { describe, expect, it } from 'vitest';
import { checkPrecondition, onCurrentState } from '../log/precondition.js';
import { TocsinError } from '@tocsin/domain';
import { preconditionOf } from './conditions.js';

const holds = (headers: { ifMatch?: string; ifNoneMatch?: string }, revision: number | undefined): boolean => {
  try {
    checkPrecondition(preconditionOf(headers), revision, 'target/a');
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'TCN_PRECONDITION_FAILED' });
    return false;
  }
};

describe('conditions on the revision', () => {
  it.each([
    [{}, undefined, true],
    [{ ifMatch: '"7"' }, 7, true],
    [{ ifMatch: '"6", "7"' }, 7, true],
    [{ ifMatch: '"6"' }, 7, false],
    [{ ifMatch: '"7"' }, undefined, false],
    [{ ifMatch: 'W/"7"' }, 7, false],
    [{ ifMatch: '"another-service"' }, 7, false],
    [{ ifMatch: '*' }, 7, true],
    [{ ifMatch: '*' }, undefined, false],
    [{ ifNoneMatch: '*' }, 7, false],
    [{ ifNoneMatch: '*' }, undefined, true],
    [{ ifNoneMatch: '"7"' }, 7, false],
    [{ ifNoneMatch: 'W/"7"' }, 7, false],
    [{ ifNoneMatch: '"6"' }, 7, true],
  ])('%j against revision %s: %s', (headers, revision, outcome) => expect(holds(headers, revision)).toBe(outcome));

  it.each(['7', '"7', '', '"7",'])('refuses If-Match: %s', (ifMatch) => {
    expect(() => preconditionOf({ ifMatch })).toThrow('If-Match');
  });
});

describe('a write that lost against another', () => {
  const conflict = new TocsinError('TCN_VERSION_CONFLICT', 'moved on');

  it('is worked out anew on what is true then', async () => {
    let caughtUp = 0;
    let tries = 0;
    const result = await onCurrentState({ catchUp: async () => void caughtUp++ }, async () => {
      if (++tries < 3) throw conflict;
      return 'done';
    });
    expect([result, tries, caughtUp]).toEqual(['done', 3, 2]);
  });

  it('is given up after some tries, and at once for any other reason', async () => {
    let tries = 0;
    const log = { catchUp: async () => undefined };
    const always = (error: TocsinError) =>
      onCurrentState(log, async () => {
        tries += 1;
        throw error;
      });
    await expect(always(conflict)).rejects.toBe(conflict);
    expect(tries).toBe(4);
    tries = 0;
    await expect(always(new TocsinError('TCN_UNAVAILABLE', 'x'))).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
    expect(tries).toBe(1);
  });
});
