import type { CelInput } from '@bufbuild/cel';
import { eventLabels, type JsonValue, type RecordedEvent, toCloudEvent } from '@tocsin/domain';
import type { Kind } from './types.js';

/** What an expression can name. */
export const VARIABLES: Readonly<Record<string, Kind>> = { event: 'map', data: 'any', labels: 'map' };

/** Attributes that every event has. Others, `episode` and a producer's own, are there or not: `has(event.episode)`. */
export const ATTRIBUTES: Readonly<Record<string, Kind>> = {
  specversion: 'string',
  id: 'string',
  source: 'string',
  type: 'string',
  subject: 'string',
  time: 'string',
  recordedtime: 'string',
  position: 'int',
  sequence: 'int',
};

/** Values of {@link VARIABLES}. */
export type Bindings = Record<string, CelInput>;

let last: { event: RecordedEvent; bindings: Bindings } | undefined;

/** The event as expressions see it. One event is asked about by many subscriptions in turn, so the last one is kept. */
export function bindingsOf(event: RecordedEvent): Bindings {
  if (last?.event === event) return last.bindings;
  const attributes = toCelInput(toCloudEvent(event)) as Map<string, CelInput>;
  const bindings = {
    event: attributes,
    data: attributes.get('data') ?? null,
    labels: toCelInput(eventLabels(event)),
  };
  last = { event, bindings };
  return bindings;
}

/** JSON numbers without a fraction are CEL ints, so that `data.count + 1` and positions print as they were written. */
function toCelInput(value: JsonValue): CelInput {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCelInput);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, inner]): [string, CelInput] => [name, toCelInput(inner)]));
}
