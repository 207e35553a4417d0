import { tocsinYamlJsonSchema } from './json-schema.js';
import type { Path } from './references.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * The field that was probably meant by one that `tocsin.yaml` does not have there; undefined where none is near.
 * @param path of the unknown field in the file
 */
export function fieldMeant(path: Path): string | undefined {
  const schema: Json = tocsinYamlJsonSchema();
  let nodes = branches(schema, schema);
  for (const key of path.slice(0, -1)) nodes = nodes.flatMap((node) => branches(below(node, key), schema));
  const written = String(path.at(-1)).toLowerCase();
  const fields = [...new Set(nodes.flatMap((node) => Object.keys(asJson(node['properties']) ?? {})))];
  const [nearest] = fields
    .map((field) => ({ field, distance: distanceBetween(written, field.toLowerCase()) }))
    .filter(({ field, distance }) => distance <= Math.max(1, Math.floor(field.length / 3)))
    .toSorted((one, other) => one.distance - other.distance);
  return nearest?.field;
}

/** A schema with what it refers to, and all of its alternatives. */
function branches(node: unknown, root: Json): Json[] {
  const schema = asJson(node);
  if (schema === undefined) return [];
  const name = typeof schema['$ref'] === 'string' ? /^#\/\$defs\/(.+)$/.exec(schema['$ref'])?.[1] : undefined;
  const referred = name === undefined ? undefined : asJson(root['$defs'])?.[name];
  const inner = [referred, ...['anyOf', 'oneOf', 'allOf'].flatMap((word) => schema[word] ?? [])];
  return [schema, ...inner.flatMap((one) => branches(one, root))];
}

function below(schema: Json, key: string | number): unknown {
  if (/^\d+$/.test(String(key)) && schema['items'] !== undefined) return schema['items'];
  return asJson(schema['properties'])?.[key];
}

function asJson(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** Letters added, left out, changed, or swapped with the next (optimal string alignment). */
function distanceBetween(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    rows.push(line);
    for (let column = 1; column <= other.length; column += 1) {
      const changed = at(row - 1, column - 1) + (one[row - 1] === other[column - 1] ? 0 : 1);
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      const least = Math.min(at(row - 1, column) + 1, (line[column - 1] ?? 0) + 1, changed);
      line.push(swapped ? Math.min(least, at(row - 2, column - 2) + 1) : least);
    }
  }
  return at(one.length, other.length);
}
