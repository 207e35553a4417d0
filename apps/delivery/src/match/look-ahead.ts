import type { RecordedEvent } from '@tocsin/domain';
import type { LogPage, LogRequest } from './log-source.js';

/** Events read at once where one asks for its neighbours. */
export const AHEAD = 100;
/** Pages kept: enough for the few subscriptions that catch up at a time. The recorder bounds the bytes of each. */
const PAGES = 4;

interface Page {
  readonly after: number;
  /** Last position that is in it. */
  upTo: number;
  readonly read: Promise<LogPage>;
}

/**
 * Reads single events. Whoever asks for one and then for one soon behind it is about to ask for those that follow: deliveries that were
 * held without their events, after a rest or a change of owner, come in the order of the log. They are read a page at a time; what is
 * asked for here and there is read alone. An event never changes, so what was read stays true.
 */
export class LookAhead {
  #pages: Page[] = [];
  #asked = Number.NEGATIVE_INFINITY;

  constructor(private readonly read: (request: LogRequest) => Promise<LogPage>) {}

  /** The event at a position; undefined where the log has none. @throws what reading throws */
  async at(position: number): Promise<RecordedEvent | undefined> {
    for (;;) {
      const known = this.#pages.find(({ after, upTo }) => position > after && position <= upTo);
      const page = known ?? this.#open(position);
      const { events } = await page.read;
      const event = events[position - page.after - 1];
      // A page of large events ends sooner than it was meant to.
      if (event !== undefined || position === page.after + 1) return event;
    }
  }

  #open(position: number): Page {
    const near = position > this.#asked && position <= this.#asked + AHEAD;
    this.#asked = position;
    const limit = near ? AHEAD : 1;
    const after = position - 1;
    const page: Page = { after, upTo: after + limit, read: this.read({ after, limit }) };
    if (limit > 1) this.#pages = [...this.#pages, page].slice(-PAGES);
    page.read.then(
      ({ events }) => {
        page.upTo = after + events.length;
      },
      () => {
        this.#pages = this.#pages.filter((one) => one !== page);
      },
    );
    return page;
  }
}
