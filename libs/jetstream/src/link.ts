import { TocsinError } from '@tocsin/domain';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

/** How long a JetStream API call may take. Raft elections finish well within. */
export const API_TIMEOUT_MS = 5_000;

/** The connection under a Broker, for this library's own parts: knows whether it stands, and fails what waits on it when it breaks. */
export class Link {
  readonly nats: NatsConnection;
  readonly manager: JetStreamManager;
  #connected = true;
  #closing = false;
  readonly #down = new Set<(error: TocsinError) => void>();
  readonly #up = new Set<() => void>();

  private constructor(nats: NatsConnection, manager: JetStreamManager) {
    this.nats = nats;
    this.manager = manager;
  }

  /** Wraps a connection that has just been made. */
  static async over(nats: NatsConnection): Promise<Link> {
    const link = new Link(nats, await jetstreamManager(nats, { checkAPI: false, timeout: API_TIMEOUT_MS }));
    void link.#observe();
    return link;
  }

  get connected(): boolean {
    return this.#connected && !this.#closing;
  }

  /** `host:port` the connection is made to, for messages. */
  get server(): string {
    return this.nats.getServer();
  }

  /** Largest message the server takes, bytes, headers included. */
  get maxPayloadBytes(): number {
    return this.nats.info?.max_payload ?? 1_048_576;
  }

  /** Calls `listener` after each reconnect. Returns what ends that. */
  onReconnect(listener: () => void): () => void {
    this.#up.add(listener);
    return () => this.#up.delete(listener);
  }

  /** Calls `listener` each time the connection breaks or is closed. Returns what ends that. */
  onDisconnect(listener: (error: TocsinError) => void): () => void {
    this.#down.add(listener);
    return () => this.#down.delete(listener);
  }

  /**
   * Resolves once connected, after `timeoutMs` milliseconds, or at `signal`; true if connected.
   * @throws TocsinError `TCN_UNAVAILABLE` if there will be no connection any more
   */
  whenConnected(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#closing) return Promise.reject(closed());
    if (this.connected || signal?.aborted === true) return Promise.resolve(this.connected);
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#up.delete(done);
        signal?.removeEventListener('abort', done);
        if (this.#closing) reject(closed());
        else resolve(this.connected);
      };
      const timer = setTimeout(done, timeoutMs);
      this.#up.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** The result of `work`, or `TCN_UNAVAILABLE` as soon as the connection breaks: its answer would never come. */
  async guard<T>(work: Promise<T>): Promise<T> {
    let stop: (() => void) | undefined;
    const broken = new Promise<never>((_, reject) => {
      stop = this.onDisconnect(reject);
    });
    try {
      return await Promise.race([work, broken]);
    } finally {
      stop?.();
    }
  }

  /** No more reconnect after this; whoever waits on the connection is told. */
  markClosing(): void {
    this.#closing = true;
    this.#break();
    for (const listener of this.#up) listener();
  }

  async #observe(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === 'disconnect' || status.type === 'close') {
        this.#connected = false;
        this.#break();
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        for (const listener of this.#up) listener();
      }
    }
  }

  #break(): void {
    const error = new TocsinError('TCN_UNAVAILABLE', 'the connection to NATS was lost');
    for (const listener of this.#down) listener(error);
  }
}

function closed(): TocsinError {
  return new TocsinError('TCN_UNAVAILABLE', 'the connection to NATS is closed');
}
