/** Where and why a text is not JSON. */
export interface JsonFault {
  /** Characters (UTF-16 code units) before the fault. */
  offset: number;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  /** What was expected there and what was found. */
  detail: string;
}

/**
 * Finds the first fault by the grammar of RFC 8259. `JSON.parse` says where only sometimes, and only in a text for people.
 * @returns undefined if the text is JSON
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const scanner = new Scanner(text);
  const fault = scanner.run();
  if (fault === undefined) return undefined;
  const before = text.slice(0, fault.offset);
  const line = before.split('\n').length;
  const column = fault.offset - (before.lastIndexOf('\n') + 1) + 1;
  const codePoint = text.codePointAt(fault.offset);
  const found = codePoint === undefined ? 'the end' : JSON.stringify(String.fromCodePoint(codePoint));
  return { offset: fault.offset, line, column, detail: `expected ${fault.expected}, found ${found}` };
}

interface Expectation {
  offset: number;
  expected: string;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
// eslint-disable-next-line no-control-regex -- RFC 8259 § 7 names exactly these characters
const STRING_PART = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;

/** A pushdown automaton with a stack of its own: depth of the text costs memory, not call stack. */
class Scanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Expectation | undefined {
    const open: ('{' | '[')[] = [];
    for (;;) {
      // A value is due.
      this.#take(SPACE);
      const start = this.#text[this.#offset];
      if (start === '{' || start === '[') {
        this.#offset += 1;
        this.#take(SPACE);
        if (this.#text[this.#offset] === closing(start)) {
          this.#offset += 1;
        } else {
          open.push(start);
          const fault = start === '{' ? this.#name('a name in double quotes or "}"') : undefined;
          if (fault !== undefined) return fault;
          continue;
        }
      } else {
        const fault = this.#scalar(start, open.at(-1));
        if (fault !== undefined) return fault;
      }
      // A value has ended: a comma, or the end of what holds it.
      for (;;) {
        this.#take(SPACE);
        const holder = open.at(-1);
        const next = this.#text[this.#offset];
        if (holder === undefined) return next === undefined ? undefined : this.#fault('the end');
        if (next === closing(holder)) {
          this.#offset += 1;
          open.pop();
          continue;
        }
        if (next !== ',') return this.#fault(`"," or "${closing(holder)}"`);
        this.#offset += 1;
        this.#take(SPACE);
        const fault = holder === '{' ? this.#name('a name in double quotes') : undefined;
        if (fault !== undefined) return fault;
        break;
      }
    }
  }

  #scalar(start: string | undefined, holder: '{' | '[' | undefined): Expectation | undefined {
    if (start === '"') return this.#string();
    if (this.#take(NUMBER) || this.#take(LITERAL)) return undefined;
    return this.#fault(holder === '[' && this.#text[this.#offset - 1] === '[' ? 'a value or "]"' : 'a value');
  }

  #name(expected: string): Expectation | undefined {
    if (this.#text[this.#offset] !== '"') return this.#fault(expected);
    const fault = this.#string();
    if (fault !== undefined) return fault;
    this.#take(SPACE);
    if (this.#text[this.#offset] !== ':') return this.#fault('":"');
    this.#offset += 1;
    return undefined;
  }

  #string(): Expectation | undefined {
    this.#offset += 1;
    this.#take(STRING_PART);
    const end = this.#text[this.#offset];
    if (end === '"') {
      this.#offset += 1;
      return undefined;
    }
    if (end === '\\') return this.#fault('an escape that JSON knows');
    return this.#fault(end === undefined ? 'the closing quote' : 'an escaped control character');
  }

  /** Moves over what the pattern matches here; false if that is nothing. */
  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match === null) return false;
    this.#offset += match[0].length;
    return match[0].length > 0;
  }

  #fault(expected: string): Expectation {
    return { offset: this.#offset, expected };
  }
}

function closing(opening: '{' | '['): '}' | ']' {
  return opening === '{' ? '}' : ']';
}
