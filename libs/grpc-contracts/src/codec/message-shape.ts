import { z } from 'zod';
import { enumValues, type MessageField, messageFields } from './message-type.js';

/** How a part of a JSON body stands in a message. */
export type Shape =
  | { readonly kind: 'scalar' }
  /** JSON of any shape: `google.protobuf.Value`. */
  | { readonly kind: 'json' }
  | {
      readonly kind: 'enum';
      readonly nameOf: ReadonlyMap<string, string>;
      readonly optionOf: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'map' }
  | { readonly kind: 'message'; readonly fields: readonly FieldShape[] }
  /** A union by a discriminator: the message has a field for each of its values. */
  | { readonly kind: 'choice'; readonly discriminator: string; readonly members: readonly FieldShape[] }
  /** A word of an enum in the field `mode`, or an object in the others. */
  | { readonly kind: 'word-or-message'; readonly word: Shape; readonly message: Shape };

/** A field of a message. */
export interface FieldShape {
  /** Its name, which is the key of the JSON body it stands for; of a choice, the value of the discriminator. */
  readonly key: string;
  readonly shape: Shape;
  /** May be left out of the body. */
  readonly optional: boolean;
}

/** Where a schema and a message differ, one sentence each. */
export type Differences = string[];

const INT32_MAX = 2 ** 31 - 1;
const WORD = 'mode';
const JSON_VALUE = 'google.protobuf.Value';

/**
 * Compares a schema with a message, field by field and all the way down: names by the JSON mapping, kinds, enums, what may be left out.
 * @param differences what does not agree is added to it
 * @param seen names of the messages and enums that were compared are added to it
 */
export function shapeOf(
  schema: z.core.$ZodType,
  message: string,
  { differences, seen = new Set() }: { differences: Differences; seen?: Set<string> },
): Shape {
  return new Comparison(differences, seen).message(schema, message, message);
}

class Comparison {
  constructor(
    private readonly differences: Differences,
    private readonly seen: Set<string>,
  ) {}

  message(schema: z.core.$ZodType, type: string, at: string): Shape {
    const fields = messageFields(type);
    if (fields === undefined) return this.#differs(at, `there is no message ${type}`);
    this.seen.add(type);
    if (schema instanceof z.ZodDiscriminatedUnion) return this.#choice(schema, fields, at);
    if (schema instanceof z.ZodUnion) return this.#union(schema, fields, at);
    if (schema instanceof z.ZodObject) return this.#object(keysOf(schema), fields, at);
    return this.#differs(at, `the schema is none of a message ${type}`);
  }

  #object(keys: readonly Key[], fields: readonly MessageField[], at: string): Shape {
    const shapes = keys.flatMap(({ key, schema, optional }): FieldShape[] => {
      const field = fields.find((one) => one.name === key);
      if (field === undefined) {
        this.#differs(at, `has no field ${key}`);
        return [];
      }
      return [{ key, optional, shape: this.#field(schema, field, optional, `${at}.${key}`) }];
    });
    this.#surplus(
      fields,
      shapes.map(({ key }) => key),
      at,
    );
    return { kind: 'message', fields: shapes };
  }

  #choice(schema: z.ZodDiscriminatedUnion, fields: readonly MessageField[], at: string): Shape {
    const { discriminator } = schema.def;
    const members = schema.options.flatMap((option): FieldShape[] => {
      const { [discriminator]: literal, ...rest } = (option as z.ZodObject).shape as Record<string, z.core.$ZodType>;
      const value = literal instanceof z.ZodLiteral ? String(literal.value) : '';
      const field = fields.find(({ name }) => name === value);
      if (field === undefined || field.oneof === undefined) {
        this.#differs(at, `has no field ${value} in a oneof`);
        return [];
      }
      const shape = this.message(z.object(rest), field.type, `${at}.${value}`);
      return [{ key: value, optional: true, shape }];
    });
    this.#surplus(
      fields,
      members.map(({ key }) => key),
      at,
    );
    return { kind: 'choice', discriminator, members };
  }

  #union(schema: z.ZodUnion, fields: readonly MessageField[], at: string): Shape {
    const options = flat(schema);
    const word = options.find((option) => option instanceof z.ZodEnum);
    const objects = options.filter((option) => option instanceof z.ZodObject);
    if (objects.length + (word === undefined ? 0 : 1) !== options.length) {
      return this.#differs(at, 'is a union of something else than objects and an enum');
    }
    const wordField = word === undefined ? undefined : fields.find(({ name }) => name === WORD);
    const message = this.#object(
      merged(objects, word !== undefined),
      fields.filter((field) => field !== wordField),
      at,
    );
    if (word === undefined) return message;
    if (wordField === undefined) return this.#differs(at, `has no field ${WORD}`);
    return { kind: 'word-or-message', word: this.#field(word, wordField, true, `${at}.${WORD}`), message };
  }

  #field(schema: z.core.$ZodType, field: MessageField, optional: boolean, at: string): Shape {
    if (schema instanceof z.ZodArray) {
      if (field.form !== 'repeated') return this.#differs(at, 'is not repeated');
      return { kind: 'list', item: this.#single(schema.element, field, at) };
    }
    if (schema instanceof z.ZodRecord) {
      if (field.form !== 'map' || field.type !== 'string') this.#differs(at, 'is not a map of strings');
      return { kind: 'map' };
    }
    if (field.form !== 'single') return this.#differs(at, `is ${field.form}`);
    const shape = this.#single(schema, field, at);
    // Messages can be absent as they are, and an enum by its zero.
    if (shape.kind === 'scalar' && optional !== field.presence) {
      this.#differs(at, optional ? 'may be left out and is not optional' : 'is optional and may not be left out');
    }
    return shape;
  }

  #single(schema: z.core.$ZodType, field: MessageField, at: string): Shape {
    if (schema instanceof z.ZodEnum) return this.#enum(schema, field.type, at);
    if (isJson(schema)) {
      if (field.type !== JSON_VALUE) this.#differs(at, `is ${field.type}, not ${JSON_VALUE}`);
      return { kind: 'json' };
    }
    const scalar = scalarOf(schema);
    if (scalar === undefined) return this.message(schema, field.type, at);
    if (scalar !== field.type) this.#differs(at, `is ${field.type}, not ${scalar}`);
    return { kind: 'scalar' };
  }

  #enum(schema: z.ZodEnum, type: string, at: string): Shape {
    const values = enumValues(type);
    if (values === undefined) return this.#differs(at, `is ${type}, which is no enum`);
    this.seen.add(type);
    const prefix = `${snake(type).toUpperCase()}_`;
    const names = schema.options.map((option): [string, string] => [
      String(option),
      `${prefix}${String(option).replaceAll('-', '_').toUpperCase()}`,
    ]);
    const wanted = [`${prefix}UNSPECIFIED`, ...names.map(([, name]) => name)];
    for (const name of wanted) if (!values.includes(name)) this.#differs(at, `${type} has no value ${name}`);
    for (const name of values) if (!wanted.includes(name)) this.#differs(at, `the schema has nothing for ${name}`);
    return { kind: 'enum', nameOf: new Map(names), optionOf: new Map(names.map(([option, name]) => [name, option])) };
  }

  #surplus(fields: readonly MessageField[], known: readonly string[], at: string): void {
    for (const { name } of fields) if (!known.includes(name)) this.#differs(at, `the schema has nothing for ${name}`);
  }

  #differs(at: string, what: string): Shape {
    this.differences.push(`${at}: ${what}`);
    return { kind: 'scalar' };
  }
}

interface Key {
  readonly key: string;
  /** Without what makes it optional. */
  readonly schema: z.core.$ZodType;
  readonly optional: boolean;
}

function keysOf(schema: z.ZodObject): Key[] {
  return Object.entries(schema.shape as Record<string, z.core.$ZodType>).map(([key, value]) => {
    let inner = value;
    while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      inner = inner.unwrap();
    }
    return { key, schema: inner, optional: inner !== value };
  });
}

/** The keys of all objects; what one of them does not need may be left out, and everything may where a word stands for the object. */
function merged(objects: readonly z.ZodObject[], hasWord: boolean): Key[] {
  const all = objects.map(keysOf);
  const byKey = new Map(all.flat().map((one) => [one.key, one]));
  return [...byKey.values()].map((one) => {
    const everywhere = all.every((keys) => keys.some(({ key, optional }) => key === one.key && !optional));
    return { ...one, optional: hasWord || !everywhere };
  });
}

function flat(schema: z.ZodUnion): z.core.$ZodType[] {
  return schema.options.flatMap((option) => (option instanceof z.ZodUnion ? flat(option) : [option]));
}

/** Of any shape (`z.json()` is the one schema that refers to itself), or of several scalar kinds. */
function isJson(schema: z.core.$ZodType): boolean {
  if (schema instanceof z.ZodLazy) return true;
  return (
    schema instanceof z.ZodUnion &&
    flat(schema).every((option) => option instanceof z.ZodNull || scalarOf(option) !== undefined)
  );
}

function scalarOf(schema: z.core.$ZodType): string | undefined {
  if (schema instanceof z.ZodBoolean) return 'bool';
  if (schema instanceof z.ZodNumber) {
    const { maxValue } = schema;
    if (!schema.isInt) return 'double';
    return maxValue !== null && maxValue <= INT32_MAX ? 'int32' : 'int64';
  }
  return schema instanceof z.ZodString || schema instanceof z.ZodStringFormat ? 'string' : undefined;
}

/** `fastInterval` → `fast_interval`, `HttpCheck` → `http_check`. */
export function snake(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
