import { setTimeout as delay } from 'node:timers/promises';
import type { Subscriber } from '../chaos/harness/subscriber.js';
import type { Watched, World } from '../chaos/harness/world.js';

/** A fault that is done to it, from its beginning to its end. */
interface Fault {
  what: string;
  /** How often it is chosen, against the others. */
  weight: number;
  run(world: World): Promise<void>;
}

/** Random faults, one after the other, from everything but Tocsin's own processes: their memory is what is watched. */
export class Faults {
  /** What was done, and when: seconds since the beginning. */
  readonly done: { at: number; what: string }[] = [];
  readonly #ending = new AbortController();
  #playing: Promise<void> = Promise.resolve();
  readonly #faults: readonly Fault[];

  constructor(
    private readonly world: World,
    moody: Subscriber,
  ) {
    const { tocsin } = world;
    this.#faults = [
      { what: 'a node goes down and comes back', weight: 8, run: (on) => this.#outage(on, on.pick(on.fleet)) },
      {
        what: 'a receiver fails half of its requests',
        weight: 2,
        run: (on) => this.#while(moody, () => moody.behaves(() => ({ status: on.random() < 0.5 ? 503 : 204 }))),
      },
      {
        what: 'a receiver hangs',
        weight: 1,
        run: () => this.#while(moody, () => moody.behaves(() => ({ hang: 'before-head' }))),
      },
      {
        what: 'NATS is killed',
        weight: 1,
        run: async (on) => {
          await tocsin.servers.stopNats('kill -9');
          await on.pause(500, 4_000);
          await tocsin.servers.startNats();
        },
      },
      {
        what: 'Postgres is restarted',
        weight: 1,
        run: async (on) => {
          await tocsin.servers.stopPostgres('stop');
          await on.pause(500, 3_000);
          await tocsin.servers.startPostgres();
        },
      },
    ];
  }

  /** @param startedMs the beginning, by `performance.now()` */
  start(startedMs: number): void {
    this.#playing = this.#play(startedMs);
  }

  /** Ends after the fault it is at. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#playing;
  }

  async #play(startedMs: number): Promise<void> {
    const { world } = this;
    while (!this.#ending.signal.aborted) {
      const fault = this.#chosen();
      this.done.push({ at: (performance.now() - startedMs) / 1_000, what: fault.what });
      await fault.run(world);
      await this.#wait(3_000, 10_000);
    }
  }

  #chosen(): Fault {
    const lots = this.#faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
    return this.world.pick(lots);
  }

  async #outage(world: World, watched: Watched): Promise<void> {
    const times = world.countOf(watched.subject, 'offline') + 1;
    await world.takeDown(watched);
    await world.recorded(watched, 'offline', times);
    await this.#wait(0, 5_000);
    await world.bringBack(watched);
    await world.recorded(watched, 'online', times);
  }

  async #while(subscriber: Subscriber, begin: () => void): Promise<void> {
    begin();
    await this.#wait(10_000, 30_000);
    subscriber.behaves();
  }

  /** Until the end at most. */
  async #wait(fromMs: number, toMs: number): Promise<void> {
    const ms = fromMs + this.world.random() * (toMs - fromMs);
    await delay(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}
