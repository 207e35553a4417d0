import type { RecordedEvent } from '@tocsin/domain';
import { eventually } from '@tocsin/testing';
import { expect } from 'vitest';
import { type ConsumeOptions, type ConsumerRole, consumeEvents } from './consume-events.js';
import type { Log } from './consume.harness.js';

const running = new Set<Consumer>();
let made = 0;

/** A consumer in this process that notes what it handles. */
export class Consumer {
  readonly handled: RecordedEvent[] = [];
  readonly errors: unknown[] = [];
  readonly roles: ConsumerRole[] = [];
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;

  constructor(
    log: Pick<Log, 'servers'>,
    readonly durable: string,
    options: Partial<Omit<ConsumeOptions, 'onEvent'>> & {
      handle?: (event: RecordedEvent, attempt: number) => Promise<void>;
    } = {},
  ) {
    const { handle, ...others } = options;
    running.add(this);
    this.#done = consumeEvents({
      servers: log.servers,
      durable,
      ackWaitMs: 1_000,
      signal: this.#stopping.signal,
      onError: (error) => void this.errors.push(error),
      onRole: (role) => void this.roles.push(role),
      ...others,
      onEvent: async (event, { attempt }) => {
        await handle?.(event, attempt);
        this.handled.push(event);
      },
    });
  }

  /** Stops all that run. */
  static async stopAll(): Promise<void> {
    await Promise.all([...running].map((consumer) => consumer.stop()));
  }

  get positions(): number[] {
    return this.handled.map(({ position }) => position);
  }

  async until(count: number): Promise<void> {
    await eventually(() => this.handled.length >= count, {
      what: `${this.durable} has handled ${count}`,
      timeoutMs: 40_000,
    });
  }

  async stop(): Promise<void> {
    running.delete(this);
    this.#stopping.abort();
    await this.#done;
  }
}

/** A name that no other consumer has. */
export const durable = (): string => `team-${(made += 1)}`;
/** `count` subjects, `width` different ones in turn, that no other test uses. */
export const subjects = (count: number, width: number): string[] => {
  const stem = `thing/${(made += 1)}`;
  return Array.from({ length: count }, (_, index) => `${stem}-${index % width}`);
};
export const ascending = (positions: readonly number[]): number[] => positions.toSorted((one, other) => one - other);

/** Every position once, those of each subject in order. */
export function expectOnceInOrder(events: readonly RecordedEvent[], positions: readonly number[]): void {
  expect(ascending(events.map(({ position }) => position))).toEqual(positions);
  for (const subject of new Set(events.map((event) => event.subject))) {
    const own = events.filter((event) => event.subject === subject).map(({ position }) => position);
    expect(own).toEqual(ascending(own));
  }
}
