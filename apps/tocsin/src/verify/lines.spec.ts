import { expect, it } from 'vitest';
import { linesOf } from './lines.js';

it('lines are the same in whatever pieces they come', async () => {
  const text = new TextEncoder().encode('{"a":"ü"}\n\n{"b":1}\nlast');
  for (const size of [1, 2, 3, 100]) {
    const pieces: Uint8Array[] = [];
    for (let from = 0; from < text.length; from += size) pieces.push(text.slice(from, from + size));
    const lines: string[] = [];
    for await (const line of linesOf(pieces)) lines.push(line);
    expect(lines).toEqual(['{"a":"ü"}', '{"b":1}', 'last']);
  }
});
