import { TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { openEnvelope, sealError, sealValue } from './envelope.js';

const open = (text: string) => openEnvelope('a.subject', Buffer.from(text, 'utf8'));
const errorIn = (text: string): unknown => {
  try {
    open(text);
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

describe('envelope', () => {
  it('carries values as they are, nothing as null', () => {
    expect(open(sealValue({ a: [1, 'ä'] }))).toEqual({ a: [1, 'ä'] });
    expect(open(sealValue(undefined))).toBeNull();
  });

  it('carries a TocsinError with code, detail, faults and hint', () => {
    const sent = new TocsinError('TCN_OVERLOADED', 'too much', {
      faults: [{ pointer: '/a', detail: 'less' }],
      retryAfterMs: 250,
    });
    const got = errorIn(sealError(sent));
    expect(got).toBeInstanceOf(TocsinError);
    expect(got).toMatchObject({
      code: 'TCN_OVERLOADED',
      message: 'too much',
      faults: [{ pointer: '/a', detail: 'less' }],
      retryAfterMs: 250,
      retryable: true,
    });
  });

  it('hides the text of any other error', () => {
    const sealed = sealError(new Error('password=hunter2'));
    expect(sealed).not.toContain('hunter2');
    expect(errorIn(sealed)).toMatchObject({ code: 'TCN_INTERNAL' });
  });

  it('takes a code it does not know for TCN_INTERNAL and keeps its text', () => {
    const unknown = errorIn('{"ok":false,"error":{"code":"TCN_FROM_THE_FUTURE","detail":"soon"}}');
    expect(unknown).toMatchObject({ code: 'TCN_INTERNAL', message: 'soon' });
    expect(errorIn('{"ok":false,"error":{"code":"toString","detail":"x"}}')).toMatchObject({ code: 'TCN_INTERNAL' });
  });

  it.each(['', 'hello', '{}', '{"ok":"yes"}', 'null'])('takes %j for TCN_INTERNAL that names the subject', (text) => {
    expect(errorIn(text)).toMatchObject({ code: 'TCN_INTERNAL' });
    expect((errorIn(text) as Error).message).toContain('a.subject');
  });
});
