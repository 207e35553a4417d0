import {
  type CelEnv,
  celEnv,
  type CelFunc,
  celFunc,
  CelScalar,
  isCelList,
  isCelMap,
  listType,
  mapType,
} from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { CALENDAR } from './calendar.js';
import { CAPS } from './caps.js';
import { budget, CapExceeded, charge } from './meter.js';
import { METERED_RE2 } from './patterns.js';

/** String functions whose result is never longer than what they are given; `replace`, `format` and `join` multiply. */
const SAFE_FUNCTIONS = new Set(['charAt', 'indexOf', 'lastIndexOf', 'lowerAscii', 'upperAscii', 'substring', 'trim']);
/** What a call costs before its arguments are looked at: finding the overload. Units. */
const CALL = 2;
/** Of a text, so many characters cost one unit; where a function walks them one by one, so many. */
const CHARS = 5_000;
const WALKED_CHARS = 50;
/** Making a calendar for a time zone. Units. */
const TIME_ZONE = 200;
/** Functions that read a number, a time or a duration from a text. */
const READERS = new Set(['int', 'uint', 'double', 'timestamp', 'duration']);
const WALKERS = new Set(['size', 'lowerAscii', 'upperAscii', 'trim', 'bytes', 'string']);

/** Goes around what a loop walks over; no expression can name it. Its second argument is how much one item costs. */
export const LOOP_RANGE = '@range';

const { DYN, INT } = CelScalar;

/** Lets a loop walk over `range` if it is short enough, and charges for all of its items at once. */
function walk<R extends { readonly size: number }>(range: R, perItem: bigint): R {
  if (range.size > CAPS.items)
    throw new CapExceeded(`a loop walks ${CAPS.items} items at most, this has ${range.size}`);
  charge(range.size * Number(perItem));
  return range;
}

const standard = celEnv({
  re2: METERED_RE2,
  funcs: [
    ...strings.filter(({ name }) => SAFE_FUNCTIONS.has(name)),
    ...CALENDAR,
    celFunc(LOOP_RANGE, [listType(DYN), INT], listType(DYN), walk),
    celFunc(LOOP_RANGE, [mapType(DYN, DYN), INT], mapType(DYN, DYN), walk),
  ],
});

type Functions = CelEnv['funcs'];
type FunctionGroup = NonNullable<ReturnType<Functions['find']>>;

const groups = new Map<string, FunctionGroup>();

/** A function, operators too, that charges for its arguments before it is called. */
function meteredGroup(group: FunctionGroup): FunctionGroup {
  return Object.create(group, {
    call: {
      value: ((id, target, args) => {
        chargeFor(group.name, target === undefined ? args : [target, ...args]);
        return group.call(id, target, args);
      }) satisfies FunctionGroup['call'],
    },
  }) as FunctionGroup;
}

/** What CEL has, the string functions that are safe, and a meter before everything that computes. */
export const ENVIRONMENT: CelEnv = Object.create(standard, {
  funcs: {
    value: Object.create(standard.funcs, {
      find: {
        value: (name: string): FunctionGroup | undefined => {
          const known = groups.get(name);
          if (known !== undefined) return known;
          const group = standard.funcs.find(name);
          if (group === undefined) return undefined;
          const metered = meteredGroup(group);
          groups.set(name, metered);
          return metered;
        },
      },
    }) as Functions,
  },
}) as CelEnv;

/** Overloads of a function or operator; none where there is none of the name. */
export function overloadsOf(name: string): CelFunc[] {
  return [...(standard.funcs.find(name) ?? [])];
}

/** Names of all functions that can be called by name. */
export function functionNames(): string[] {
  const names = [...standard.funcs].map(({ name }) => name).filter((name) => /^[A-Za-z]/.test(name));
  return [...new Set(names)].sort();
}

function chargeFor(name: string, args: readonly unknown[]): void {
  charge(CALL);
  if (name === '_+_') return chargeSum(args);
  if (name === LOOP_RANGE) return;
  const perUnit = WALKERS.has(name) ? WALKED_CHARS : CHARS;
  for (const [index, arg] of args.entries()) {
    if (typeof arg === 'string') {
      if (READERS.has(name) && arg.length > CAPS.literalChars) {
        throw new CapExceeded(`${name}() reads ${CAPS.literalChars} characters at most`);
      }
      charge(arg.length / perUnit);
      if (index > 0 && name.startsWith('get')) charge(TIME_ZONE);
    } else if (arg instanceof Uint8Array) {
      charge(arg.length / perUnit);
    } else if (name === '_==_' || name === '_!=_' || name === '@in') {
      charge(sizeOf(arg, budget()));
    }
  }
}

/** What is put together is as long as both, and only bounded here. */
function chargeSum([left, right]: readonly unknown[]): void {
  if (typeof left === 'string' && typeof right === 'string') {
    const chars = left.length + right.length;
    if (chars > CAPS.textChars) throw new CapExceeded(`a text may have ${CAPS.textChars} characters`);
    charge(chars / CHARS);
  } else if (left instanceof Uint8Array && right instanceof Uint8Array) {
    const bytes = left.length + right.length;
    if (bytes > CAPS.textChars) throw new CapExceeded(`bytes may be ${CAPS.textChars}`);
    charge(bytes / CHARS);
  } else if (isCelList(left) && isCelList(right)) {
    const items = left.size + right.size;
    if (items > CAPS.items) throw new CapExceeded(`a list may have ${CAPS.items} items`);
  }
}

/** How much there is to compare in a value, in units; counting stops once it is more than `most`. */
function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return 1 + value.length / CHARS;
  if (!isCelList(value) && !isCelMap(value)) return 1;
  let units = 1;
  for (const item of value.values()) {
    units += sizeOf(item, most - units);
    if (units > most) break;
  }
  return units;
}
