import type { Heartbeat, WatchedTarget } from '@tocsin/contracts';
import type { Clock, ProbeResult, VoidedProbe } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Target } from '../targets/target.js';
import { HeartbeatIntake } from './heartbeat-intake.js';
import { HeartbeatTokens } from './heartbeat-tokens.js';
import { HeartbeatWatch, type HeartbeatWatchDeps } from './heartbeat-watch.js';

export interface HeartbeatRoomDeps extends Omit<HeartbeatWatchDeps, 'listeningSinceMs'> {
  observer: string;
  broker: Pick<Broker, 'serve' | 'request' | 'connected' | 'onReconnect'>;
  clock: Clock;
  /** What is declared is known. */
  synced: () => boolean;
  own: (name: string) => Target | undefined;
  ownerOf: (name: string) => string | undefined;
}

/** Heartbeats: whose they are, how they come here, what they say of own targets. */
export class HeartbeatRoom {
  readonly #deps: HeartbeatRoomDeps;
  readonly #tokens: HeartbeatTokens;
  readonly #watch: HeartbeatWatch;
  readonly #intake: HeartbeatIntake;
  readonly #ignore: () => void;
  #listeningSinceMs: number;

  constructor(deps: HeartbeatRoomDeps) {
    this.#deps = deps;
    this.#listeningSinceMs = deps.clock.monotonicMs();
    this.#tokens = new HeartbeatTokens(deps.clock);
    this.#watch = new HeartbeatWatch({
      ...deps,
      // Without the broker nobody hands heartbeats over: what is not heard then says nothing.
      listeningSinceMs: () => (deps.broker.connected() ? this.#listeningSinceMs : undefined),
    });
    this.#intake = new HeartbeatIntake({
      ...deps,
      find: (token) => this.#tokens.find(token),
      take: (name, beat) => this.#take(name, beat),
    });
    this.#ignore = deps.broker.onReconnect(() => (this.#listeningSinceMs = deps.clock.monotonicMs()));
  }

  /** Takes heartbeats over NATS from now on. */
  start(): void {
    this.#intake.start();
  }

  async stop(): Promise<void> {
    this.#ignore();
    await this.#intake.stop();
  }

  /** Whoever watches the target. */
  declare(watched: WatchedTarget): void {
    this.#tokens.declare(watched);
  }

  withdraw(name: string): void {
    this.#tokens.withdraw(name);
  }

  taken(target: Target): void {
    this.#watch.taken(target);
  }

  given(target: Target): void {
    this.#watch.given(target);
  }

  /** What a scheduled look finds. */
  look(target: Target): Promise<ProbeResult | VoidedProbe> {
    return this.#watch.look(target);
  }

  /** @throws TocsinError as {@link HeartbeatIntake.accept} */
  accept(token: string, beat: Heartbeat): Promise<void> {
    return this.#intake.accept(token, beat);
  }

  #take(name: string, beat: Heartbeat): boolean {
    const target = this.#deps.own(name);
    if (target?.heartbeat === undefined) return false;
    this.#watch.beat(target, beat);
    return true;
  }
}
