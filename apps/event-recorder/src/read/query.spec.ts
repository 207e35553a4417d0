import { describe, expect, it } from 'vitest';
import { listQuerySchema, streamQuerySchema } from './query.js';

describe('query of the log', () => {
  it('has defaults', () => {
    expect(listQuerySchema.parse({})).toEqual({ after: 0, limit: 100, order: 'asc' });
  });

  it('takes types repeated, comma separated, and with wildcards', () => {
    expect(listQuerySchema.parse({ type: ['a.*', 'b.c,io.*.offline'] }).type).toEqual(['a.*', 'b.c', 'io.*.offline']);
    expect(streamQuerySchema.parse({ type: 'a' }).type).toEqual(['a']);
  });

  it.each([
    [{ after: '-1' }, 'after'],
    [{ after: '1.5' }, 'after'],
    [{ after: '99999999999999999999' }, 'after'],
    [{ after: ['1', '2'] }, 'after'],
    [{ limit: '0' }, 'limit'],
    [{ limit: '1001' }, 'limit'],
    [{ type: 'a..b' }, 'type'],
    [{ type: '' }, 'type'],
    [{ subject: '' }, 'subject'],
    [{ before: '-1' }, 'before'],
    [{ since: 'yesterday' }, 'since'],
    [{ until: '2030-01-01' }, 'until'],
    [{ order: 'newest' }, 'order'],
  ])('refuses %j', (query, field) => {
    const result = listQuerySchema.safeParse(query);
    expect(result.error?.issues[0]?.path[0]).toBe(field);
  });

  it('refuses a parameter it does not know', () => {
    expect(listQuerySchema.safeParse({ afterr: '1' }).error?.issues[0]).toMatchObject({ code: 'unrecognized_keys' });
  });
});
