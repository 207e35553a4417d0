import { DELIVERY_TEST_RPC, testRequestSchema } from '@tocsin/contracts';
import type { Broker, Serving } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import type { TestSender } from './test-sender.js';

/** Any replica may answer: whose shard the subscription is in does not matter to a test. */
const QUEUE = 'delivery';

/** Sends tests when the registry asks for them. */
export class TestResponder {
  #serving: Serving | undefined;

  constructor(private readonly parts: { broker: Pick<Broker, 'serve'>; tests: TestSender; logger: Logger }) {}

  /** Answers from now on. */
  start(): void {
    const { broker, tests, logger } = this.parts;
    this.#serving ??= broker.serve(DELIVERY_TEST_RPC, {
      queue: QUEUE,
      schema: testRequestSchema,
      handle: (request) => tests.run(request),
      onError: (error) => logger.error({ err: error }, 'a test could not be sent'),
    });
  }

  /** Answers what it has taken, takes no more. */
  async stop(): Promise<void> {
    await this.#serving?.close();
    this.#serving = undefined;
  }
}
