import type { JsonValue } from '@tocsin/domain';
import type { z } from 'zod';
import { type FieldShape, type Shape, shapeOf, snake } from './message-shape.js';
import { jsonToValue, type Value, valueToJson } from './struct.js';

type Json = Record<string, unknown>;

/**
 * Carries one kind of JSON body in a message and back, by the schema that validates the body: there is nothing to write for a field. What is
 * empty in a message was left out, so that the schema fills in the same defaults as over HTTP. What only one of the two knows is not
 * carried; that there is no such thing is held by a test (`test/architecture/proto-fields.spec.ts`).
 */
export class MessageCodec<M extends object> {
  readonly #shape: Shape;

  constructor(schema: z.core.$ZodType, message: string) {
    this.#shape = shapeOf(schema, message, { differences: [] });
  }

  /** The body that a message stands for. Nothing is validated: that is the schema's work. */
  toBody(message: M | null | undefined): unknown {
    return toBody(this.#shape, message ?? {});
  }

  /** The message that stands for a validated body; what it has no field for is left out. */
  toMessage(body: object): M {
    return toMessage(this.#shape, body) as M;
  }

  /**
   * Names in the message what a JSON pointer names in the body: `/check/url` → `check.http.url`.
   * @param body decides which member of a union is meant
   */
  fieldPath(pointer: string, body: unknown): string {
    const tokens = pointer.split('/').slice(1);
    const keys = tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    return pathOf(this.#shape, keys, body).join('').replace(/^\./, '');
  }
}

function toBody(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case 'json':
      return valueToJson(value as Value);
    case 'enum':
      return shape.optionOf.get(String(value)) ?? value;
    case 'list':
      return (value as unknown[]).map((item) => toBody(shape.item, item));
    case 'message':
      return Object.fromEntries(
        present(shape.fields, value as Json).map((one) => [one.key, toBody(one.shape, one.value)]),
      );
    case 'choice': {
      const [chosen] = present(shape.members, value as Json);
      return chosen === undefined
        ? {}
        : { [shape.discriminator]: chosen.key, ...(toBody(chosen.shape, chosen.value) as Json) };
    }
    case 'word-or-message': {
      const word = (value as Json)['mode'];
      return isAbsent(word) || isUnspecified(word) ? toBody(shape.message, value) : toBody(shape.word, word);
    }
    default:
      return value;
  }
}

function toMessage(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case 'json':
      return jsonToValue(value as JsonValue);
    case 'enum':
      return shape.nameOf.get(String(value));
    case 'list':
      return (value as unknown[]).map((item) => toMessage(shape.item, item));
    case 'message':
      return Object.fromEntries(
        shape.fields.flatMap(({ key, shape: inner }) => {
          const part = (value as Json)[key];
          return part === undefined ? [] : [[key, toMessage(inner, part)]];
        }),
      );
    case 'choice': {
      const chosen = shape.members.find(({ key }) => key === (value as Json)[shape.discriminator]);
      return chosen === undefined ? {} : { [chosen.key]: toMessage(chosen.shape, value) };
    }
    case 'word-or-message':
      return typeof value === 'string' ? { mode: toMessage(shape.word, value) } : toMessage(shape.message, value);
    default:
      return value;
  }
}

function pathOf(shape: Shape, keys: readonly string[], value: unknown): string[] {
  const [key, ...rest] = keys;
  if (key === undefined) return [];
  const inner = isAbsent(value) || typeof value !== 'object' ? undefined : (value as Json)[key];
  switch (shape.kind) {
    case 'list':
      return [`[${key}]`, ...pathOf(shape.item, rest, inner)];
    case 'map':
      return [`[${JSON.stringify(key)}]`];
    case 'message': {
      const field = shape.fields.find((one) => one.key === key);
      return field === undefined ? [`.${key}`] : [`.${snake(field.key)}`, ...pathOf(field.shape, rest, inner)];
    }
    case 'choice': {
      const chosen = shape.members.find((one) => one.key === (value as Json | undefined)?.[shape.discriminator]);
      if (chosen === undefined) return [];
      return [`.${snake(chosen.key)}`, ...(key === shape.discriminator ? [] : pathOf(chosen.shape, keys, value))];
    }
    case 'word-or-message':
      return pathOf(shape.message, keys, value);
    default:
      return [];
  }
}

function present(fields: readonly FieldShape[], message: Json): (FieldShape & { value: unknown })[] {
  return fields.flatMap((field) => {
    const value = message[field.key];
    return isAbsent(value) || isLeftOut(field, value) ? [] : [{ ...field, value }];
  });
}

/** Lists, maps and enums cannot say that they were left out. */
function isLeftOut({ shape, optional }: FieldShape, value: unknown): boolean {
  if (shape.kind === 'enum') return isUnspecified(value);
  if (shape.kind === 'list') return optional && (value as unknown[]).length === 0;
  return shape.kind === 'map' && optional && Object.keys(value as object).length === 0;
}

function isUnspecified(name: unknown): boolean {
  return typeof name === 'string' && name.endsWith('_UNSPECIFIED');
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
