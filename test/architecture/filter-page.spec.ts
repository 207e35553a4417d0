import { CAPS, checkFilter } from '@tocsin/cel';
import { FILTER_MAX_CHARS } from '@tocsin/contracts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const page = readFileSync(join(import.meta.dirname, '../../docs/filters.md'), 'utf8');

/** Second cells of the rows of a table, code without its marks. */
function cellsOf(head: string): string[] {
  const [, table = ''] = page.split(`| ${head} |`);
  const rows = table.split('\n\n')[0]?.split('\n').slice(2) ?? [];
  return rows.map(
    (row) =>
      row
        .split(/(?<!\\)\|/)[2]
        ?.trim()
        .replaceAll('`', '')
        .replaceAll('\\|', '|') ?? '',
  );
}

describe('the page on filters', () => {
  const examples = [...cellsOf('to say | write'), /^ +filter: (.+)$/m.exec(page)?.[1] ?? ''];

  it('has examples', () => {
    expect(examples.length).toBeGreaterThan(5);
  });

  it.each(examples)('has one that may be declared: %s', (filter) => {
    expect(() => checkFilter(filter)).not.toThrow();
  });

  it('names the caps that there are', () => {
    const numbers = cellsOf('cap | at most').flatMap((cell) => cell.match(/[\d,]*\d/g) ?? []);
    const { chars, nodes, loops, items, patternChars, patternStates, matchedChars, cost } = CAPS;
    const caps = [chars, nodes, loops, items, patternChars, patternStates, matchedChars, cost];
    expect(numbers.map((text) => Number(text.replaceAll(',', '')))).toEqual(caps);
    expect(FILTER_MAX_CHARS).toBe(chars);
  });
});
