import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { ProjectionListener, Projector } from './projection/projector.js';
import type { ObserverFeed } from './targets/observer-feed.js';
import type { OutageCloser } from './targets/outage-closer.js';
import type { Sweeper } from './upkeep/sweeper.js';

/** Answers other services. */
interface Responder {
  start(): void;
  stop(): Promise<void>;
}

/** What runs beside the requests, from start to end. */
export class RegistryService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #projector: Projector;
  readonly #feed: ObserverFeed;
  readonly #closer: OutageCloser;
  readonly #listeners: readonly ProjectionListener[];
  readonly #responders: readonly Responder[];
  readonly #sweeper: Sweeper;
  #stopped: Promise<void> | undefined;

  constructor(parts: {
    projector: Projector;
    feed: ObserverFeed;
    closer: OutageCloser;
    listeners: readonly ProjectionListener[];
    responders: readonly Responder[];
    sweeper: Sweeper;
  }) {
    this.#projector = parts.projector;
    this.#feed = parts.feed;
    this.#closer = parts.closer;
    this.#listeners = parts.listeners;
    this.#responders = parts.responders;
    this.#sweeper = parts.sweeper;
  }

  onApplicationBootstrap(): void {
    for (const listener of this.#listeners) this.#projector.listen(listener);
    this.#projector.start();
    this.#feed.start();
    for (const responder of this.#responders) responder.start();
    this.#sweeper.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#responders.map((responder) => responder.stop()));
    await Promise.all([this.#sweeper.stop(), this.#feed.stop(), this.#closer.stop(), this.#projector.stop()]);
  }
}
