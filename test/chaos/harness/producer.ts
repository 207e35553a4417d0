import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs } from './patience.js';
import type { World } from './world.js';

const SOURCE = 'urn:example:producer';

/** Somebody who records events of his own at a steady rate, and repeats each until it is acknowledged. */
export class Producer {
  /** Requests made, and those that were not acknowledged. */
  attempts = 0;
  refused = 0;
  readonly #ending = new AbortController();
  #done: Promise<unknown> = Promise.resolve();

  /** @param subjects over how many the events are spread; each subject's come in order */
  constructor(
    private readonly world: World,
    private readonly type: string,
    private readonly subjects = 20,
  ) {}

  /** Begins; some of the events are under way at once, each of another subject. */
  start(perSecond: number): void {
    const lines = Math.min(this.subjects, 10);
    this.#done = Promise.all(Array.from({ length: lines }, (_, line) => this.#produce(line, lines, perSecond / lines)));
  }

  /** Ends, after everything begun has been acknowledged. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }

  async #produce(line: number, lines: number, perSecond: number): Promise<void> {
    const own = Array.from({ length: this.subjects }, (_, number) => number).filter((each) => each % lines === line);
    for (let n = 0; !this.#ending.signal.aborted; n += 1) {
      const subject = `thing/${own[n % own.length]}`;
      const count = Math.floor(n / own.length) + 1;
      // Once it was sent it may be recorded, whatever the answer: from now on it has to be told.
      this.world.must(subject, this.type, count);
      await this.#record({
        ...{ specversion: '1.0', id: `${subject}-${count}`, source: SOURCE, type: this.type, subject },
        data: { n: count, text: 'x'.repeat(200) },
      });
      await delay(1_000 / perSecond, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  async #record(event: object): Promise<void> {
    const endMs = performance.now() + patienceMs(180_000);
    for (;;) {
      this.attempts += 1;
      try {
        await this.world.tocsin.call('POST', '/v1/events', event, { 'content-type': 'application/cloudevents+json' });
        return;
      } catch (error) {
        this.refused += 1;
        if (performance.now() > endMs) throw error;
        await delay(100);
      }
    }
  }
}
