import type { Clock } from '@tocsin/domain';
import type { RelayPublisher, RelayStatus } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { LeaderDuty } from '../append/append-leader.js';

/** An interruption shorter than this heals by itself and is not worth a red light, in milliseconds. */
const GRACE_MS = 2_000;

/** Events the stream may be behind while it is being filled, before readiness says so. */
const LAG_EVENTS = 10_000;

/**
 * The leader's duty to copy the log to JetStream. Nothing waits for it: an event is recorded when it is committed, and the relay
 * follows as soon as there is a broker.
 */
export class LogRelay implements LeaderDuty {
  #leading = false;

  constructor(
    private readonly publisher: Pick<RelayPublisher, 'start' | 'notify' | 'status' | 'stop'>,
    private readonly head: () => Promise<number>,
    private readonly clock: Clock,
  ) {}

  begin(): void {
    this.#leading = true;
    this.publisher.start();
  }

  async end(): Promise<void> {
    this.#leading = false;
    await this.publisher.stop();
  }

  committed(position: number): void {
    this.publisher.notify(position);
  }

  /** How the relay stands; undefined on a standby, which does not relay. */
  status(): RelayStatus | undefined {
    return this.#leading ? this.publisher.status() : undefined;
  }

  /** For readiness: true, or what is wrong. A standby has nothing to relay. */
  async check(): Promise<true | string> {
    const status = this.status();
    if (status === undefined) return true;
    const lag = (await this.head()) - status.position;
    if (status.state === 'relaying') return lag <= LAG_EVENTS || `the stream is ${lag} events behind the log`;
    const forMs = this.clock.now() - status.sinceMs;
    if (status.state !== 'refusing' && forMs < GRACE_MS) return true;
    const why = status.error === undefined ? '' : `: ${status.error.message}`;
    return `${status.state} for ${Math.round(forMs / 1000)} s, the stream is ${lag} events behind the log${why}`;
  }
}

/** Logs what interrupts the relay: once per kind of trouble, not once per attempt. */
export function relayErrorLog(logger: Logger): (error: Error) => void {
  let last: string | undefined;
  return (error) => {
    if (error.message === last) return;
    last = error.message;
    logger.warn({ err: error }, 'the relay is interrupted; recording goes on');
  };
}
