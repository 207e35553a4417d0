import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MessageCodec } from './message-codec.js';
import { shapeOf } from './message-shape.js';
import { structToJson } from './struct.js';

const rate = z.strictObject({ perSecond: z.number(), burst: z.int().max(100).optional() });
const start = z.union([
  z.enum(['now', 'snapshot']),
  z.union([z.strictObject({ position: z.int() }), z.strictObject({ time: z.string() })]),
]);
const span = z.object({ start: z.string(), end: z.string() });
const auth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('basic'), username: z.string(), password: z.string() }),
  z.strictObject({ type: z.literal('bearer'), token: z.string() }),
]);
const format = z.union([z.enum(['structured', 'binary']), z.strictObject({ template: z.json() })]);
const retry = z.strictObject({ schedule: z.array(z.string()) });

const both = (schema: z.ZodType, type: string, body: object) => {
  const codec = new MessageCodec<object>(schema, type);
  const message = codec.toMessage(body);
  return { message, back: codec.toBody(message) };
};

describe('a message and its body', () => {
  it.each([
    [rate, 'Rate', { perSecond: 2.5 }, { perSecond: 2.5 }],
    [rate, 'Rate', { perSecond: 1, burst: 3 }, { perSecond: 1, burst: 3 }],
    [start, 'SubscriptionStart', { position: 0 }, { position: 0 }],
    [auth, 'JiraAuth', { type: 'bearer', token: 't' }, { bearer: { token: 't' } }],
    [
      format,
      'DestinationFormat',
      { template: { a: [null, '${b}'] } },
      {
        template: {
          structValue: {
            fields: { a: { listValue: { values: [{ nullValue: 'NULL_VALUE' }, { stringValue: '${b}' }] } } },
          },
        },
      },
    ],
    [retry, 'RetryPolicy', { schedule: [] }, { schedule: [] }],
  ])('%# say the same', (schema, type, body, message) => {
    expect(both(schema, type, body)).toEqual({ message, back: body });
  });

  it('say a word where the body is one', () => {
    const codec = new MessageCodec<object>(start, 'SubscriptionStart');
    expect(codec.toMessage('snapshot' as unknown as object)).toEqual({ mode: 'START_MODE_SNAPSHOT' });
    expect(codec.toBody({ mode: 'START_MODE_NOW' })).toBe('now');
    expect(codec.toBody({ mode: 'START_MODE_UNSPECIFIED' })).toEqual({});
  });

  it('take what is empty for what was left out, and pass on what no schema knows', () => {
    const replay = z.strictObject({
      from: z.strictObject({ position: z.int() }).or(z.strictObject({ time: z.string() })),
      to: z
        .strictObject({ position: z.int() })
        .or(z.strictObject({ time: z.string() }))
        .optional(),
      types: z.array(z.string()).optional(),
      subject: z.string().optional(),
      perSecond: z.number().default(50),
    });
    const codec = new MessageCodec<object>(replay, 'Replay');
    expect(codec.toBody({ from: { position: 3 }, to: null, types: [] })).toEqual({ from: { position: 3 } });
    expect(codec.toBody(null)).toEqual({});
    const key = z.strictObject({
      role: z.enum(['admin', 'editor', 'viewer', 'producer']),
      description: z.string().optional(),
      expiresAt: z.string().optional(),
      rate: rate.optional(),
      labels: z.record(z.string(), z.string()).optional(),
    });
    const keys = new MessageCodec<object>(key, 'KeySpec');
    expect(keys.toBody({ role: 'ROLE_VIEWER', labels: {}, rate: null })).toEqual({ role: 'viewer' });
    expect(keys.toBody({ role: 'ROLE_UNSPECIFIED' })).toEqual({});
    expect(keys.toBody({ role: 17 })).toEqual({ role: 17 });
  });

  it('name the field that a pointer into the body means', () => {
    const codec = new MessageCodec<object>(
      z.strictObject({
        url: z.string(),
        headers: z.record(z.string(), z.string()).default({}),
        auth: auth.describe('Jira'),
        project: z.string(),
        issueType: z.string().optional(),
        transition: z.string().optional(),
        labels: z.array(z.string()).optional(),
      }),
      'JiraDestination',
    );
    const body = { auth: { type: 'basic' } };
    expect(codec.fieldPath('/issueType', body)).toBe('issue_type');
    expect(codec.fieldPath('/auth/username', body)).toBe('auth.basic.username');
    expect(codec.fieldPath('/auth/type', {})).toBe('auth');
    expect(codec.fieldPath('/labels/2', body)).toBe('labels[2]');
    expect(codec.fieldPath('/headers/x~1y', body)).toBe('headers["x/y"]');
    expect(codec.fieldPath('/nothing/of/it', body)).toBe('nothing');
    expect(codec.fieldPath('', body)).toBe('');
  });
});

describe('a schema and a message that differ', () => {
  const differences = (schema: z.ZodType, type: string) => {
    const found: string[] = [];
    shapeOf(schema, type, { differences: found });
    return found;
  };

  it.each([
    ['a field more in the schema', span.extend({ zone: z.string() }), 'MaintenanceSpan: has no field zone'],
    ['a field more in the message', z.object({ start: z.string() }), 'MaintenanceSpan: the schema has nothing for end'],
    ['another kind', span.extend({ end: z.number() }), 'MaintenanceSpan.end: is string, not double'],
    ['a list', span.extend({ end: z.array(z.string()) }), 'MaintenanceSpan.end: is not repeated'],
    [
      'what may be left out',
      span.extend({ end: z.string().optional() }),
      'MaintenanceSpan.end: may be left out and is not optional',
    ],
  ])('are told apart by %s', (_what, schema, difference) => {
    expect(differences(span, 'MaintenanceSpan')).toEqual([]);
    expect(differences(schema, 'MaintenanceSpan')).toEqual([difference]);
  });

  it('are told apart by their enums, members of unions, sizes of integers and optional fields', () => {
    expect(
      differences(
        z.union([z.enum(['now', 'later']), z.strictObject({ position: z.int(), time: z.string() })]),
        'SubscriptionStart',
      ),
    ).toEqual([
      'SubscriptionStart.mode: StartMode has no value START_MODE_LATER',
      'SubscriptionStart.mode: the schema has nothing for START_MODE_SNAPSHOT',
    ]);
    const more = z.discriminatedUnion('type', [...auth.options, z.strictObject({ type: z.literal('digest') })]);
    expect(differences(more, 'JiraAuth')).toEqual(['JiraAuth: has no field digest in a oneof']);
    expect(differences(z.object({ perSecond: z.number(), burst: z.int() }), 'Rate')).toEqual([
      'Rate.burst: is int32, not int64',
      'Rate.burst: is optional and may not be left out',
    ]);
  });
});

describe('google.protobuf.Struct', () => {
  it('is the JSON it stands for, null and empty values too', () => {
    const fields = {
      nothing: { nullValue: 'NULL_VALUE' as const },
      zero: { numberValue: 0 },
      no: { boolValue: false },
      empty: { stringValue: '' },
      list: { listValue: { values: [{ stringValue: 'a' }, { structValue: { fields: {} } }] } },
    };
    expect(structToJson({ fields })).toEqual({ nothing: null, zero: 0, no: false, empty: '', list: ['a', {}] });
    expect(structToJson(null)).toEqual({});
  });
});
