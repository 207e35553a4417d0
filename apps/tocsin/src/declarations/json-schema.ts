import { namedMaintenanceSchema, namedSubscriptionSchema, namedTargetSchema, nameSchema } from '@tocsin/contracts';
import { z } from 'zod';
import { MOST_ITEMS } from './limits.js';

type Json = Record<string, unknown>;

/** Where an editor finds it by a name that stays. */
const SCHEMA_ID = 'urn:tocsin:schema:tocsin.yaml:1';
/** A text with a reference in it says what it will be when it is laid out; nothing can be said about it before. */
const REFERENCE = String.raw`\$\{(item|env:[^}]+|file:[^}]+)\}`;

const eachSchema = z
  .array(z.union([z.string(), z.number()]))
  .min(1)
  .max(MOST_ITEMS)
  .optional()
  .meta({ description: 'A template: one for each item, which stands for ${item} in every text' });

const fileSchema = z.strictObject({
  version: z.literal(1).meta({ description: 'Version of this format' }),
  owner: nameSchema
    .optional()
    .meta({ description: 'Who looks after what this file declares; --prune deletes only what is this owner’s' }),
  targets: z
    .array(z.strictObject({ each: eachSchema, ...namedTargetSchema.shape }))
    .nullish()
    .meta({ description: 'What is watched' }),
  subscriptions: z
    .array(z.strictObject({ each: eachSchema, ...namedSubscriptionSchema.shape }))
    .nullish()
    .meta({ description: 'Who is told' }),
  maintenance: z
    .array(z.union(namedMaintenanceSchema.options.map(({ shape }) => z.strictObject({ each: eachSchema, ...shape }))))
    .nullish()
    .meta({ description: 'When changes are expected: they are recorded, and kept back until the window ends' }),
});

/** JSON Schema (2020-12) of `tocsin.yaml`, for editors: made from the very schemas the server checks with. */
export function tocsinYamlJsonSchema(): Json {
  const { $schema, ...schema } = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-2020-12' });
  return {
    $schema,
    $id: SCHEMA_ID,
    title: 'tocsin.yaml',
    description: 'Who watches what, and who is told: applied by `tocsin apply`',
    ...(withReferences(schema) as Json),
  };
}

/** The same, but wherever a text of some form is wanted, one with a reference will do. */
function withReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withReferences);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner: Json = Object.fromEntries(
    // Names of fields and labels are no texts in which references are replaced.
    Object.entries(schema).map(([key, value]) => [
      key,
      ['propertyNames', 'enum', 'const', 'default', 'examples'].includes(key) ? value : withReferences(value),
    ]),
  );
  if (inner['type'] !== 'string' || (inner['pattern'] === undefined && inner['format'] === undefined)) return inner;
  const { pattern, format, ...rest } = inner;
  const form = { ...(pattern === undefined ? {} : { pattern }), ...(format === undefined ? {} : { format }) };
  return { ...rest, anyOf: [form, { pattern: REFERENCE }] };
}
