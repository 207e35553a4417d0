/** Slots that are handed out first come, first served. */
class Slots {
  readonly #limit: number;
  #waiting: (() => void)[] | undefined;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get idle(): boolean {
    return this.#taken === 0;
  }

  take(): Promise<void> | undefined {
    if (this.#taken < this.#limit) {
      this.#taken += 1;
      return undefined;
    }
    return new Promise((resolve) => (this.#waiting ??= []).push(resolve));
  }

  /** A slot that is given back goes to whoever waits longest. */
  give(): void {
    const next = this.#waiting?.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}

export interface InFlightLimits {
  total: number;
  /** A peer is a host and port: a service that hangs must not delay its neighbours on the same host. */
  perPeer: number;
}

/** Bounds what is in flight at once, in all and towards one peer. */
export class InFlight {
  readonly #total: Slots;
  readonly #perPeer: number;
  readonly #peers = new Map<string, Slots>();

  constructor(limits: InFlightLimits) {
    this.#total = new Slots(limits.total);
    this.#perPeer = limits.perPeer;
  }

  /** Does `work` as soon as there is room for it. The peer's slot comes first, so that its queue takes none of the others' room. */
  async run<T>(peer: string, work: () => Promise<T>): Promise<T> {
    let slots = this.#peers.get(peer);
    if (slots === undefined) {
      slots = new Slots(this.#perPeer);
      this.#peers.set(peer, slots);
    }
    // Most of the time there is room, and nothing to wait for.
    const turn = slots.take();
    if (turn !== undefined) await turn;
    try {
      const room = this.#total.take();
      if (room !== undefined) await room;
      try {
        return await work();
      } finally {
        this.#total.give();
      }
    } finally {
      slots.give();
      if (slots.idle) this.#peers.delete(peer);
    }
  }
}
