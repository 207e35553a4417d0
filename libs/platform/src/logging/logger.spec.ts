import { context, trace, TraceFlags } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';
import { NestLogger } from './nest-logger.js';

function capture(level?: string) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, logger: createLogger({ name: 'relay-service', level, destination }) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with the level by name and the time in ISO 8601', () => {
    const { lines, logger } = capture();
    logger.info({ position: 5 }, 'appended');
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
        service: 'relay-service',
        position: 5,
        msg: 'appended',
      },
    ]);
  });

  it('lets a module talk more or less than the rest', () => {
    const { lines, logger } = capture('warn,relay=debug,send=silent');
    logger.info('no');
    logger.child({ module: 'relay' }).debug('yes');
    logger.child({ module: 'send' }).error('no');
    logger.child({ module: 'other' }).info('no');
    logger.child({ module: 'relay' }).child({ shard: 3 }).debug('also');
    expect(lines.map((line) => line['msg'])).toEqual(['yes', 'also']);
  });

  it('refuses a level it does not know', () => {
    expect(() => createLogger({ name: 'x', level: 'loud' })).toThrow('TOCSIN_LOG_LEVEL');
  });

  it('takes secrets out, also from errors and from what a child logger is bound to', () => {
    const { lines, logger } = capture();
    logger
      .child({ url: 'https://h/?token=secret1' })
      .error(
        { err: new Error('at https://u:secret2@h/'), headers: { authorization: 'secret3' } },
        'https://h/?secret4',
      );
    expect(JSON.stringify(lines)).not.toMatch(/secret\d/);
  });
});

describe('trace ids', () => {
  beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());

  it('stand in every line written within a span', () => {
    const { lines, logger } = capture();
    const span = {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
    };
    context.with(trace.setSpanContext(context.active(), span), () => logger.info('inside'));
    logger.info('outside');
    expect(lines[0]).toMatchObject({ trace_id: span.traceId, span_id: span.spanId });
    expect(lines[1]).not.toHaveProperty('trace_id');
  });
});

describe('NestLogger', () => {
  it('keeps the chatter at debug and the rest at its level', () => {
    const { lines, logger } = capture('trace');
    const nest = new NestLogger(logger);
    nest.log('Mapped {/healthz, GET} route', 'RouterExplorer');
    nest.error('it broke', 'Error: it broke\n    at x', 'ExceptionsHandler');
    nest.warn({ some: 'object' });
    nest.error(new Error('boom'));
    expect(lines).toMatchObject([
      { level: 'debug', module: 'nest', context: 'RouterExplorer', msg: 'Mapped {/healthz, GET} route' },
      { level: 'error', context: 'ExceptionsHandler', stack: 'Error: it broke\n    at x', msg: 'it broke' },
      { level: 'warn', msg: '{"some":"object"}' },
      { level: 'error', err: { message: 'boom' }, msg: 'boom' },
    ]);
  });
});
