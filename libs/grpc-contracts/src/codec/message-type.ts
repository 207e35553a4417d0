import { NAMESPACE } from '../gen/namespace.js';

/** One field of a message, as the proto file declares it. */
export interface MessageField {
  /** As messages in memory and the JSON mapping spell it: `fastInterval`. */
  readonly name: string;
  /** A scalar type, or the name of a message or an enum. */
  readonly type: string;
  readonly form: 'single' | 'repeated' | 'map';
  /** Can be told apart from its zero: `optional`, or one of a `oneof`. */
  readonly presence: boolean;
  /** The `oneof` it belongs to. */
  readonly oneof: string | undefined;
}

interface FieldJson {
  type: string;
  rule?: string;
  keyType?: string;
  options?: { proto3_optional?: boolean };
}

interface TypeJson {
  fields?: Record<string, FieldJson>;
  oneofs?: Record<string, { oneof: string[] }>;
  values?: Record<string, number>;
}

const TYPES = (
  NAMESPACE as { nested: { tocsin: { nested: { v1: { nested: Record<string, TypeJson | undefined> } } } } }
).nested.tocsin.nested.v1.nested;

/** Fields of a message of `tocsin.v1`; undefined where there is none of the name. */
export function messageFields(name: string): readonly MessageField[] | undefined {
  const type = TYPES[name];
  if (type?.fields === undefined) return undefined;
  const oneofs = Object.entries(type.oneofs ?? {}).flatMap(([oneof, { oneof: members }]) =>
    members.map((member): [string, string] => [member, oneof]),
  );
  const oneofOf = new Map(oneofs);
  return Object.entries(type.fields).map(([field, { type: fieldType, rule, keyType, options }]) => {
    const optional = options?.proto3_optional === true;
    return {
      name: field,
      type: fieldType,
      form: keyType !== undefined ? 'map' : rule === 'repeated' ? 'repeated' : 'single',
      presence: optional || oneofOf.has(field),
      // The compiler gives every `optional` field a oneof of its own.
      oneof: optional ? undefined : oneofOf.get(field),
    };
  });
}

/** Names of the values of an enum of `tocsin.v1`; undefined where there is none of the name. */
export function enumValues(name: string): readonly string[] | undefined {
  const values = TYPES[name]?.values;
  return values === undefined ? undefined : Object.keys(values);
}

/** Names of all messages and enums of `tocsin.v1`. */
export function typeNames(): readonly string[] {
  return Object.entries(TYPES).flatMap(([name, type]) =>
    type?.fields !== undefined || type?.values !== undefined ? [name] : [],
  );
}
