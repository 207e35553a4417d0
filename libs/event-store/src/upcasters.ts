import type { JsonValue, RecordedEvent } from '@tocsin/domain';

/** One step of a payload's evolution, from one schema version to the next. */
export interface Upcaster {
  /** The event type it is for. */
  type: string;
  /** The `dataschema` the event was recorded with; undefined: recorded without one. */
  from: string | undefined;
  /** The `dataschema` of what `upcast` returns. */
  to: string;
  /** Pure: the same event always gives the same payload. */
  upcast: (event: RecordedEvent) => JsonValue;
}

/**
 * Stored bytes never change; what readers see does. An event is lifted step by step, from the schema version it was recorded with to the
 * newest that is known.
 */
export class Upcasters {
  readonly #steps = new Map<string, Upcaster>();

  /** @throws Error if two steps start at the same version, or steps go in a circle */
  constructor(upcasters: readonly Upcaster[] = []) {
    for (const upcaster of upcasters) {
      const key = keyOf(upcaster.type, upcaster.from);
      if (this.#steps.has(key))
        throw new Error(`two upcasters for ${upcaster.type} start at ${upcaster.from ?? 'no schema'}`);
      this.#steps.set(key, upcaster);
    }
    for (const start of upcasters) this.#requireEnd(start);
  }

  /** The event as the newest schema has it; the event itself where nothing is to be done. */
  apply(event: RecordedEvent): RecordedEvent {
    let current = event;
    for (;;) {
      const step = this.#steps.get(keyOf(current.type, current.dataschema));
      if (step === undefined) return current;
      current = { ...current, dataschema: step.to, data: step.upcast(current) };
    }
  }

  #requireEnd(start: Upcaster): void {
    const seen = new Set<Upcaster>();
    let step: Upcaster | undefined = start;
    while (step !== undefined) {
      if (seen.has(step)) throw new Error(`the upcasters for ${start.type} go in a circle at ${step.to}`);
      seen.add(step);
      step = this.#steps.get(keyOf(step.type, step.to));
    }
  }
}

function keyOf(type: string, schema: string | undefined): string {
  return JSON.stringify([type, schema]);
}
