import type { RecordedEvent } from '@tocsin/domain';

/** Of one subject: the newest event, and those that gave way to it. */
export interface NewestOfSubject {
  subject: string;
  /** Position of the oldest that was met. */
  first: number;
  /** Position of the newest. */
  newest: number;
  events: number;
}

/** The newest event of each subject: what is left to tell of any number of events where only the latest counts. Grows with the subjects. */
export class Newest {
  readonly #subjects = new Map<string, NewestOfSubject>();

  /** @param from events behind this position are in it */
  constructor(readonly from: number) {}

  /** Takes in an event, in any order. */
  note({ subject, position }: Pick<RecordedEvent, 'subject' | 'position'>): void {
    const known = this.#subjects.get(subject);
    if (known === undefined) {
      this.#subjects.set(subject, { subject, first: position, newest: position, events: 1 });
      return;
    }
    known.first = Math.min(known.first, position);
    known.newest = Math.max(known.newest, position);
    known.events += 1;
  }

  /** Takes in what another one met at other positions. */
  merge(other: Newest): void {
    for (const theirs of other.#subjects.values()) {
      const known = this.#subjects.get(theirs.subject);
      if (known === undefined) {
        this.#subjects.set(theirs.subject, { ...theirs });
        continue;
      }
      known.first = Math.min(known.first, theirs.first);
      known.newest = Math.max(known.newest, theirs.newest);
      known.events += theirs.events;
    }
  }

  /** All that were met. */
  get events(): number {
    return [...this.#subjects.values()].reduce((sum, { events }) => sum + events, 0);
  }

  /** By position of the newest, oldest first. */
  inOrder(): NewestOfSubject[] {
    return [...this.#subjects.values()].toSorted((a, b) => a.newest - b.newest);
  }
}
