import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dialled } from './dial.js';

/** How long an idle connection is kept unless the receiver says otherwise; Node.js servers close after 5 s. Milliseconds. */
const IDLE_MS = 4_000;
/** However long a receiver offers to keep one. Milliseconds. */
const IDLE_MAX_MS = 60_000;
/** A connection older than this is not used again: what the name resolves to may have moved on. Milliseconds. */
const MAX_AGE_MS = 60_000;

/** One open connection with undici's HTTP/1.1 client on it. It is never re-opened: a lost one is dropped by whoever holds it. */
export class Connection {
  readonly client: Client;
  readonly address: string;
  readonly #socket: Socket;
  readonly #openedAtMs: number;
  /** Told when the connection is lost; set by whoever keeps it while it is idle. */
  onLost: (() => void) | undefined;

  constructor(origin: string, dialled: Dialled, nowMs: number) {
    this.address = dialled.address;
    this.#socket = dialled.socket;
    this.#openedAtMs = nowMs;
    let socket: Socket | undefined = dialled.socket;
    this.client = new Client(origin, {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MAX_MS,
      // Both are idle timers and would never end a response that drips; the attempt's own deadline does.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        const given = socket;
        socket = undefined;
        // Not in this tick: the client does not look for work while it is still inside its own connect call.
        queueMicrotask(() => {
          if (given === undefined)
            callback(Object.assign(new Error('the connection is lost'), { code: 'ECONNRESET' }), null);
          else callback(null, given);
        });
      },
    });
    this.client.on('disconnect', () => this.onLost?.());
  }

  /** May another request go over it? */
  usable(nowMs: number): boolean {
    return (
      !this.client.destroyed &&
      !this.#socket.destroyed &&
      this.#socket.writable &&
      nowMs - this.#openedAtMs < MAX_AGE_MS
    );
  }

  /** Ends it at once, with whatever is under way on it. */
  destroy(): void {
    this.#socket.destroy();
    this.client.destroy().catch(() => undefined);
  }
}

/** Connections nobody uses at the moment, by key (origin and TLS identity). */
export class IdleConnections {
  readonly #byKey = new Map<string, Connection[]>();
  #count = 0;

  /** @param limit connections kept altogether; the longest unused one goes first */
  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#count;
  }

  /** A usable connection of this key, the one used last; it is the caller's from now on. */
  take(key: string, nowMs: number): Connection | undefined {
    for (let last = this.#byKey.get(key)?.at(-1); last !== undefined; last = this.#byKey.get(key)?.at(-1)) {
      this.#forget(key, last);
      if (last.usable(nowMs)) return last;
      last.destroy();
    }
    return undefined;
  }

  /** Keeps a connection for the next request. */
  put(key: string, connection: Connection): void {
    const list = this.#byKey.get(key) ?? [];
    list.push(connection);
    // Re-inserting moves the key to the end: the map's order is the order of last use.
    this.#byKey.delete(key);
    this.#byKey.set(key, list);
    this.#count++;
    connection.onLost = () => {
      this.#forget(key, connection);
      connection.destroy();
    };
    if (this.#count > this.limit) this.#closeOldest();
  }

  /** Closes them all. */
  destroy(): void {
    while (this.#count > 0) this.#closeOldest();
  }

  #closeOldest(): void {
    for (const [key, [connection]] of this.#byKey) {
      if (connection === undefined) continue;
      this.#forget(key, connection);
      connection.destroy();
      return;
    }
  }

  #forget(key: string, connection: Connection): void {
    connection.onLost = undefined;
    const list = this.#byKey.get(key);
    const index = list?.indexOf(connection) ?? -1;
    if (list === undefined || index < 0) return;
    list.splice(index, 1);
    this.#count--;
    if (list.length === 0) this.#byKey.delete(key);
  }
}
