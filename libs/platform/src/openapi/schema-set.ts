import { z } from 'zod';

/** A part of a JSON document. */
export type Json = Record<string, unknown>;

type Direction = 'input' | 'output';

const REF = /^tocsin:(input|output):(.+)$/;

/**
 * Schemas of requests and answers as JSON Schema 2020-12, their named parts in one place. What has defaults is optional in a request and always
 * there in an answer, so one zod schema may be two: then that of answers is named `…Output`.
 */
export class SchemaSet {
  readonly #named: Record<Direction, Map<string, Json>> = { input: new Map(), output: new Map() };

  /** What a request must be. */
  request(schema: z.ZodType): Json {
    return this.#add(schema, 'input');
  }

  /** What an answer is. A later version may add fields. */
  answer(schema: z.ZodType): Json {
    return this.#add(schema, 'output');
  }

  /** The named parts, and `document` with references to them. */
  resolve(document: Json): { document: Json; schemas: Json } {
    const apart = this.#apart();
    const nameOf = (direction: string, name: string) =>
      direction === 'output' && apart.has(name) ? `${name}Output` : name;
    const rename = (value: unknown): unknown =>
      mapped(value, (ref) =>
        ref.replace(REF, (_, direction: string, name: string) => `#/components/schemas/${nameOf(direction, name)}`),
      );
    const schemas: Json = {};
    for (const direction of ['input', 'output'] as const) {
      for (const [name, definition] of this.#named[direction]) schemas[nameOf(direction, name)] = rename(definition);
    }
    const sorted = Object.entries(schemas).sort(([one], [other]) => (one < other ? -1 : 1));
    return { document: rename(document) as Json, schemas: Object.fromEntries(sorted) };
  }

  #add(schema: z.ZodType, io: Direction): Json {
    const { $schema: _dialect, $defs = {}, ...root } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
    for (const [name, definition] of Object.entries($defs as Json)) {
      this.#named[io].set(name, marked(definition, io) as Json);
    }
    return marked(root, io) as Json;
  }

  /** Names whose schema is not the same in requests and answers, by itself or by what it refers to. */
  #apart(): Set<string> {
    const { input, output } = this.#named;
    const plain = (value: unknown) => JSON.stringify(value).replaceAll('tocsin:output:', 'tocsin:input:');
    const both = [...output.keys()].filter((name) => input.has(name));
    const apart = new Set(both.filter((name) => plain(input.get(name)) !== plain(output.get(name))));
    for (let grown = -1; grown !== apart.size;) {
      grown = apart.size;
      for (const name of both) {
        const text = JSON.stringify(output.get(name));
        if ([...apart].some((other) => text.includes(`"tocsin:output:${other}"`))) apart.add(name);
      }
    }
    return apart;
  }
}

/** With references that say where they come from; answers without a word about fields they don't know. */
function marked(value: unknown, io: Direction): unknown {
  const referring = mapped(value, (ref) => ref.replace(/^#\/\$defs\//, `tocsin:${io}:`));
  return cleaned(referring, io);
}

/** zod says of every integer that it is a safe one, and of every closed object that it is closed. */
function cleaned(value: unknown, io: Direction): unknown {
  if (Array.isArray(value)) return value.map((part) => cleaned(part, io));
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(
    ([key, part]) =>
      !((key === 'minimum' || key === 'maximum') && Math.abs(Number(part)) === Number.MAX_SAFE_INTEGER) &&
      !(io === 'output' && key === 'additionalProperties' && part === false),
  );
  return Object.fromEntries(kept.map(([key, part]) => [key, cleaned(part, io)]));
}

function mapped(value: unknown, ref: (target: string) => string): unknown {
  if (Array.isArray(value)) return value.map((part) => mapped(part, ref));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === '$ref' && typeof part === 'string' ? ref(part) : mapped(part, ref),
    ]),
  );
}
