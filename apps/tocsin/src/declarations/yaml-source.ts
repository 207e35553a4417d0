import { type Fault, type JsonValue, TocsinError } from '@tocsin/domain';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';

/**
 * As many nodes as aliases may stand for. A fleet of 20,000 that shares one check is fine; ten levels of ten aliases each, which would be
 * ten thousand million nodes, are refused.
 */
const MOST_ALIASED = 50_000;

/** Stands for a merge key where keys are compared: no key of a document has this name. */
const MERGE = '\0<<';

/** A place in a text, both counted from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

/** A YAML text as a value, and where in the text each part of it stands. */
export interface YamlSource {
  value: JsonValue;
  /**
   * Where the node at a path stands: a field by its name, an item by itself. The nearest one above it where there is none. What is
   * there by an alias or a merge key stands where it was written.
   */
  locate(path: readonly (string | number)[]): TextPlace;
}

/** A fault and where in the file it stands. */
export type LocatedFault = Fault & { place: TextPlace };

/**
 * Reads a YAML 1.2 text of one document, with merge keys (`<<`), which everybody expects of files like this.
 * @param file what to call it in messages
 * @throws TocsinError `TCN_MALFORMED` with line and column
 */
export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: true });
  const at = (offset: number): TextPlace => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const malformed = (offset: number, detail: string, cause?: unknown) =>
    new TocsinError('TCN_MALFORMED', `${file}, ${placeText(at(offset))}: ${detail}`, { cause });
  const [problem] = document.errors;
  if (problem !== undefined) throw malformed(problem.pos[0], firstLine(problem.message), problem);

  let value: JsonValue;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASED }) as JsonValue;
  } catch (error) {
    // An alias without its anchor, or aliases of aliases of aliases.
    const detail = firstLine(error instanceof Error ? error.message : String(error));
    throw malformed(offsetOfLooseAlias(document) ?? 0, detail, error);
  }
  if (isCircular(value, new Set())) throw malformed(0, 'an alias stands inside what it stands for');

  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const pairOf = (map: YAMLMap, key: string): { offset: number; value: unknown } | undefined => {
    for (const { key: name, value: below } of map.items) {
      if (keyText(name) === key) return { offset: offsetOf(name) ?? 0, value: below };
    }
    for (const { key: name, value: merged } of map.items) {
      if (keyText(name) !== MERGE) continue;
      const source = resolve(merged);
      for (const candidate of isSeq(source) ? source.items : [source]) {
        const inner = resolve(candidate);
        const found = isMap(inner) ? pairOf(inner, key) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return {
    value,
    locate(path) {
      let node: unknown = resolve(document.contents);
      let offset = offsetOf(node) ?? 0;
      for (const key of path) {
        if (isMap(node)) {
          const pair = pairOf(node, String(key));
          if (pair === undefined) break;
          ({ offset } = pair);
          node = resolve(pair.value);
        } else if (isSeq(node)) {
          const item = node.items[Number(key)];
          if (item === undefined) break;
          offset = offsetOf(item) ?? offset;
          node = resolve(item);
        } else break;
      }
      return at(offset);
    },
  };
}

/** `line 4, column 7`. */
export function placeText({ line, column }: TextPlace): string {
  return `line ${line}, column ${column}`;
}

/** An error that says of every fault where it stands, in the order of the file; its line names the first. */
export function locatedError(
  file: string,
  faults: readonly LocatedFault[],
  code: 'TCN_INVALID' | 'TCN_EGRESS_BLOCKED' | 'TCN_FORBIDDEN' | 'TCN_CONFLICT' = 'TCN_INVALID',
): TocsinError {
  const ordered = [...faults].sort(
    ({ place: one }, { place: other }) => one.line - other.line || one.column - other.column,
  );
  const [first] = ordered;
  if (first === undefined) return new TocsinError(code, `${file}: not valid`);
  const more = ordered.length > 1 ? ` (and ${ordered.length - 1} more)` : '';
  const what = `${first.pointer === '' ? '' : `${first.pointer}: `}${first.detail}`;
  return new TocsinError(code, `${file}, ${placeText(first.place)}: ${what}${more}`, {
    faults: ordered.map(({ pointer, detail, place }) => ({ pointer, detail, at: placeText(place) })),
  });
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

/** The first alias that stands for nothing. */
function offsetOfLooseAlias(document: Document.Parsed): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_key, node) {
      if (node.resolve(document) !== undefined) return undefined;
      found = offsetOf(node);
      return visit.BREAK;
    },
  });
  return found;
}

/** A key as it becomes the name of a field. */
function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  const { value } = key as { value: string | number | boolean | symbol | null };
  // The parser makes a symbol of a merge key, so that a field that is called so by a quoted name is none.
  if (typeof value === 'symbol') return MERGE;
  return value === null ? '' : String(value);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}

function isCircular(value: JsonValue, above: Set<JsonValue>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (above.has(value)) return true;
  above.add(value);
  const found = Object.values(value).some((inner) => isCircular(inner, above));
  above.delete(value);
  return found;
}
