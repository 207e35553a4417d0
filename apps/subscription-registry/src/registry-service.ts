import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { Projector } from './projection/projector.js';
import type { SealedResponder } from './subscriptions/sealed-responder.js';
import type { ObserverFeed } from './targets/observer-feed.js';
import type { Sweeper } from './upkeep/sweeper.js';

/** What runs beside the requests, from start to end. */
export class RegistryService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #projector: Projector;
  readonly #feed: ObserverFeed;
  readonly #responder: SealedResponder;
  readonly #sweeper: Sweeper;
  #stopped: Promise<void> | undefined;

  constructor(parts: { projector: Projector; feed: ObserverFeed; responder: SealedResponder; sweeper: Sweeper }) {
    this.#projector = parts.projector;
    this.#feed = parts.feed;
    this.#responder = parts.responder;
    this.#sweeper = parts.sweeper;
  }

  onApplicationBootstrap(): void {
    this.#projector.listen(this.#feed);
    this.#projector.start();
    this.#feed.start();
    this.#responder.start();
    this.#sweeper.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#responder.stop();
    await Promise.all([this.#sweeper.stop(), this.#feed.stop(), this.#projector.stop()]);
  }
}
