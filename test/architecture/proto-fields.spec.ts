import {
  keySpecSchema,
  keyViewSchema,
  maintenanceSpecSchema,
  maintenanceViewSchema,
  replaySpecSchema,
  rotateTokenSchema,
  subscriptionSpecSchema,
  subscriptionViewSchema,
  targetSpecSchema,
  targetViewSchema,
} from '@tocsin/contracts';
import { messageFields, shapeOf, typeNames } from '@tocsin/grpc-contracts';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ROOT } from './cruise.js';

/** Messages that carry a body of the HTTP API, and the schema that validates it. Every message of the registry is one of them, or part of one. */
const BODIES: readonly (readonly [string, z.ZodType])[] = [
  ['TargetSpec', targetSpecSchema],
  ['Target', targetViewSchema],
  ['SubscriptionSpec', subscriptionSpecSchema],
  ['Subscription', subscriptionViewSchema],
  ['Replay', replaySpecSchema],
  ['MaintenanceSpec', maintenanceSpecSchema],
  ['Maintenance', maintenanceViewSchema],
  ['KeySpec', keySpecSchema],
  ['Key', keyViewSchema],
];

/** Requests whose fields, beside those that any write has, are a body. */
const PLAIN_REQUESTS: readonly (readonly [string, z.ZodObject])[] = [['RotateTokenRequest', rotateTokenSchema]];
const OF_ANY_WRITE = ['name', 'expectedRevision', 'dryRun', 'requestId'];

const PROTOS = 'libs/contracts/proto';

/** What carries messages, and what only gRPC has. */
const ENVELOPE = /(?:Request|Response)$|^Outcome$/;
/** Messages of EventLog: CloudEvents have no zod schema to be equal to. */
const OF_THE_LOG = ['AttributeValue', 'Event', 'Appended'];

/** A clone of one commit has no other to compare with. */
function hasParent(): boolean {
  return spawnSync('git', ['rev-parse', '--verify', '--quiet', 'HEAD^'], { cwd: ROOT }).status === 0;
}

const compared = (schema: z.ZodType, message: string) => {
  const [differences, seen] = [[] as string[], new Set<string>()];
  shapeOf(schema, message, { differences, seen });
  return { differences, seen };
};

describe('messages and the schemas of the HTTP API', () => {
  it.each(BODIES)('%s has the fields of its schema: names, kinds, enums, what may be left out', (message, schema) => {
    expect(compared(schema, message).differences).toEqual([]);
  });

  it.each(PLAIN_REQUESTS)('%s has the fields of its schema', (message, schema) => {
    const own = messageFields(message)?.filter(({ name }) => !OF_ANY_WRITE.includes(name)) ?? [];
    const optional = (key: string) => schema.shape[key]?.safeParse(undefined).success;
    expect(own.map(({ name, presence }) => [name, presence])).toEqual(
      Object.keys(schema.shape).map((key) => [key, optional(key)]),
    );
  });

  it('leave no message unlooked at', () => {
    const seen = new Set(BODIES.flatMap(([message, schema]) => [...compared(schema, message).seen]));
    const rest = typeNames().filter((name) => !seen.has(name) && !ENVELOPE.test(name) && !OF_THE_LOG.includes(name));
    expect(rest).toEqual([]);
  });

  it('are found to differ as soon as either side gains a field', () => {
    const schemaGains = targetSpecSchema.extend({ colour: z.string().optional() });
    expect(compared(schemaGains, 'TargetSpec').differences).toEqual(['TargetSpec: has no field colour']);
    const messageHasMore = targetSpecSchema.omit({ parent: true });
    expect(compared(messageHasMore, 'TargetSpec').differences).toEqual([
      'TargetSpec: the schema has nothing for parent',
    ]);
  });
});

describe('the proto files', () => {
  const buf = (args: readonly string[], input?: Buffer) =>
    execFileSync(join(ROOT, 'node_modules/.bin/buf'), args, {
      ...{ cwd: ROOT, encoding: 'utf8' },
      ...(input === undefined ? {} : { input }),
    });
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, stdio: 'pipe' });

  it('pass every rule of buf lint', () => {
    expect(buf(['lint', PROTOS])).toBe('');
  });

  it('break nobody who has those of the last release, or of the commit before where there is none', () => {
    const [release] = String(git('tag', '--list', 'v*', '--sort=-v:refname')).split('\n');
    const before = release !== undefined && release !== '' ? release : hasParent() ? 'HEAD^' : 'HEAD';
    const then = git('archive', `${before}:${PROTOS}`);
    expect(buf(['breaking', PROTOS, '--against', '-#format=tar'], then)).toBe('');
  });

  it('are what the code was generated from', () => {
    const set = buf(['build', PROTOS, '--as-file-descriptor-set', '--exclude-source-info', '-o', '-#format=json']);
    const files = (
      JSON.parse(set) as { file: { name: string; messageType?: { name: string; field?: { jsonName: string }[] }[] }[] }
    ).file;
    const declared = files
      .filter(({ name }) => name.startsWith('tocsin/'))
      .flatMap(({ messageType = [] }) => messageType)
      .map(({ name, field = [] }): [string, string[]] => [name, field.map(({ jsonName }) => jsonName).toSorted()]);
    const generated = declared.map(([name]): [string, string[]] => [
      name,
      (messageFields(name) ?? []).map((field) => field.name).toSorted(),
    ]);
    expect(generated).toEqual(declared);
  });
});
