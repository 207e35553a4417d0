import { describe, expect, it } from 'vitest';
import { Balance } from './balance.js';

function balance(): { books: Balance; accepted: () => number } {
  let accepted = 0;
  return { books: new Balance({ accepted: (count) => (accepted += count) }), accepted: () => accepted };
}

describe('Balance', () => {
  it('is even while everything waits, is held, or has ended', () => {
    const { books, accepted } = balance();
    books.accept(3);
    expect(books.missing(3)).toBe(0);
    books.end();
    books.hold('parked', 10);
    books.hold('parked', 11);
    expect([books.missing(2), books.held, accepted()]).toEqual([0, 2, 5]);
  });

  it('counts what comes forward once: when it was held, or only now if that was before', () => {
    const { books, accepted } = balance();
    books.hold('parked', 10);
    for (const position of [4, 7, 10]) books.forward('parked', position);
    books.release('parked');
    expect([books.missing(3), accepted()]).toEqual([0, 3]);
    books.hold('latest', 20);
    books.hold('latest', 21);
    books.forwardAll('latest', 5);
    books.end(4);
    expect([books.missing(4), accepted()]).toEqual([0, 8]);
  });

  it('shows what was held and never came forward, and what left without an end', () => {
    const { books } = balance();
    books.hold('parked', 10);
    books.hold('parked', 11);
    books.forward('parked', 10);
    books.release('parked');
    expect(books.missing(1)).toBe(1);
    expect(books.missing(0)).toBe(2);
  });

  it('takes a removed subscription off the books', () => {
    const { books } = balance();
    books.hold('parked', 10);
    books.remove('parked');
    expect(books.missing(0)).toBe(0);
  });
});
