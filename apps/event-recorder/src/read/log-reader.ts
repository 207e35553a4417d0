import type { EventStore, LatestAnswer, LatestRequest } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
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

  /** The newest event of each of some subjects. */
  latest(request: LatestRequest): Promise<LatestAnswer> {
    return this.store.latest(request);
  }

  /** Last position of the log, 0 where it is empty. */
  head(): Promise<number> {
    return this.store.head();
  }
}
