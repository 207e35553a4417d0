import type { CelType } from '@bufbuild/cel';

/** What is known of a value before there is one; `any`: it shows when it is evaluated. */
export type Kind =
  | 'any'
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'int'
  | 'list'
  | 'map'
  | 'null'
  | 'string'
  | 'timestamp'
  | 'type'
  | 'uint';

const KINDS: Readonly<Record<string, Kind>> = {
  bool: 'bool',
  bytes: 'bytes',
  double: 'double',
  int: 'int',
  list: 'list',
  map: 'map',
  null_type: 'null',
  string: 'string',
  type: 'type',
  uint: 'uint',
  'google.protobuf.Duration': 'duration',
  'google.protobuf.Timestamp': 'timestamp',
};

/** Names that stand for a type: `type(data.n) == int`. */
export const TYPE_NAMES: readonly string[] = Object.keys(KINDS).filter(
  (name) => name !== 'type' && !name.includes('.'),
);

/** The kind of a type of the evaluator's. */
export function kindOf(type: CelType): Kind {
  return KINDS[type.name] ?? 'any';
}

/** May a value of kind `given` be taken where `wanted` is? */
export function fits(given: Kind, wanted: Kind): boolean {
  return given === 'any' || wanted === 'any' || given === wanted;
}

const NUMBERS: readonly Kind[] = ['int', 'uint', 'double'];

/** Can two values of these kinds ever be equal? Numbers are compared across their types. */
export function comparable(one: Kind, other: Kind): boolean {
  return fits(one, other) || one === 'null' || other === 'null' || (NUMBERS.includes(one) && NUMBERS.includes(other));
}
