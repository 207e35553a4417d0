import { type Fault, type JsonValue, TocsinError } from '@tocsin/domain';
import { isAlias, isMap, isNode, LineCounter, parseDocument } from 'yaml';

/** A YAML text as a value, and where in the text each part of it stands. */
export interface YamlSource {
  value: JsonValue;
  /** `line 4, column 7` of the node at a path, or of the nearest one above it. */
  locate(path: readonly (string | number)[]): string;
}

/**
 * Reads a YAML 1.2 text of one document.
 * @param file what to call it in messages
 * @throws TocsinError `TCN_MALFORMED` with line and column
 */
export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new TocsinError('TCN_MALFORMED', `${file}, ${at(problem.pos[0])}: ${problem.message}`);
  }
  const value = document.toJS({ maxAliasCount: 100 }) as JsonValue;
  return {
    value,
    locate(path) {
      let offset = 0;
      let node: unknown = document.contents;
      for (const key of path) {
        if (isAlias(node)) node = node.resolve(document);
        if (isMap(node)) {
          const pair = node.items.find((item) => String(item.key) === String(key));
          if (pair === undefined) break;
          if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
          node = pair.value;
        } else {
          node = isNode(node) ? document.getIn(path.slice(0, path.indexOf(key) + 1), true) : undefined;
          if (!isNode(node)) break;
          offset = node.range?.[0] ?? offset;
        }
      }
      return at(offset);
    },
  };
}

/** One line that names where each fault stands. */
export function locatedError(file: string, faults: readonly (Fault & { at: string })[]): TocsinError {
  const [first] = faults;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const what = first === undefined ? 'not valid' : `${first.pointer === '' ? '' : `${first.pointer}: `}${first.detail}`;
  return new TocsinError('TCN_INVALID', `${file}, ${first?.at ?? 'line 1'}: ${what}${more}`, { faults });
}
