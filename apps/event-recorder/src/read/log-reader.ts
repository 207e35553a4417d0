import type { EventStore, LatestRequest } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { latestBounded, type LatestPage } from './bounded-latest.js';
import { type BoundedPage, type PageRequest, readBounded } from './bounded-page.js';

/** The log as any replica reads it from Postgres. */
export class LogReader {
  constructor(private readonly store: Pick<EventStore, 'read' | 'get' | 'latest' | 'head'>) {}

  page(request: PageRequest): Promise<BoundedPage> {
    return readBounded(this.store, request);
  }

  /** One event: by position where `key` is a whole number, else by id. Undefined where there is none. */
  get(key: string): Promise<RecordedEvent | undefined> {
    const position = /^\d{1,15}$/.test(key) ? Number(key) : undefined;
    return this.store.get(position ?? key);
  }

  /** The newest event of each of some subjects, as far as they fit into `maxBytes`. */
  latest(request: LatestRequest, maxBytes: number): Promise<LatestPage> {
    return latestBounded(this.store, request, maxBytes);
  }

  /** Last position of the log, 0 where it is empty. */
  head(): Promise<number> {
    return this.store.head();
  }
}
