import { connect, createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';

/** How long an answer may take, milliseconds: a leader that was killed never answers. */
const TIMEOUT_MS = 30_000;
const LOOK_MS = 1_000;

/** Requests in one message, as Tocsin's services bundle them. */
const MOST_TOGETHER = 32;

interface Gathered {
  request: string;
  resolve: (answer: unknown) => void;
}

interface Asked {
  resolve: (answer: Msg | undefined) => void;
  sinceMs: number;
}

/**
 * Requests over one connection, as the client's own `request` makes them, without its timer and its error object for each: what the load
 * costs is taken from the service, which shares the machine, and its collector's pauses would be counted as the service's.
 */
export class NatsAsker {
  readonly #inbox = createInbox();
  /** By number of the seat, which is the last token of the reply subject. */
  readonly #seats: (Asked | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #looking: NodeJS.Timeout;

  private constructor(private readonly connection: NatsConnection) {
    connection.subscribe(`${this.#inbox}.*`, { callback: (_, answer) => this.#answered(answer) });
    this.#looking = setInterval(() => this.#giveUp(), LOOK_MS);
  }

  /** @param url with user and password */
  static async connect(url: string): Promise<NatsAsker> {
    const { username, password, host } = new URL(url);
    return new NatsAsker(await connect({ servers: host, user: username, pass: password, maxReconnectAttempts: -1 }));
  }

  /** The answer, sealed in JSON; undefined where nobody listens, or none came in time. */
  async ask(subject: string, request: string): Promise<unknown> {
    return (await this.#send(subject, request))?.json();
  }

  /** Asks on `subject`, those who ask in the same turn of the event loop in one message. */
  together(subject: string): (request: string) => Promise<unknown> {
    let gathered: Gathered[] = [];
    const send = (): void => {
      const bundle = gathered;
      gathered = [];
      void this.#sendBundle(subject, bundle);
    };
    return (request) =>
      new Promise((resolve) => {
        gathered.push({ request, resolve });
        if (gathered.length === MOST_TOGETHER) send();
        else if (gathered.length === 1) setImmediate(send);
      });
  }

  async #sendBundle(subject: string, bundle: readonly Gathered[]): Promise<void> {
    const [only, ...more] = bundle;
    if (only !== undefined && more.length === 0) only.resolve(await this.ask(subject, only.request));
    if (more.length === 0) return;
    const requests = bundle.map(({ request }) => `{"payload":${request}}`);
    const answers = (await this.#send(`${subject}.bundle`, `[${requests.join(',')}]`))?.json<unknown[]>();
    for (const [index, { resolve }] of bundle.entries()) resolve(answers?.[index]);
  }

  #send(subject: string, request: string): Promise<Msg | undefined> {
    const seat = this.#free.pop() ?? this.#seats.length;
    return new Promise((resolve) => {
      this.#seats[seat] = { resolve, sinceMs: performance.now() };
      this.connection.publish(subject, request, { reply: `${this.#inbox}.${seat}` });
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#looking);
    await this.connection.close();
  }

  #answered(answer: Msg): void {
    const seat = Number(answer.subject.slice(this.#inbox.length + 1));
    const asked = this.#seats[seat];
    if (asked === undefined) return;
    this.#seats[seat] = undefined;
    this.#free.push(seat);
    asked.resolve(answer.headers?.code === 503 ? undefined : answer);
  }

  /** A seat that was given up stays empty: its answer may still come, and must not be taken for another's. */
  #giveUp(): void {
    for (const [seat, asked] of this.#seats.entries()) {
      if (asked === undefined || performance.now() - asked.sinceMs <= TIMEOUT_MS) continue;
      this.#seats[seat] = undefined;
      asked.resolve(undefined);
    }
  }
}
