import { DELIVERY_TEST_RPC, nameSchema, parseOrThrow, type TestReply, testReplySchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { inScope } from '../access/scope.js';
import { checkPrecondition } from '../log/precondition.js';
import type { Requester } from '../log/registry-log.js';
import { subscriptionSubject } from '../projection/change.js';
import type { WriteRequest } from '../request/call.js';
import type { SubscriptionStore } from './subscription-store.js';

/** An attempt may take 15 s and two appends; whoever sends it answers well within this. Milliseconds. */
const PATIENCE_MS = 30_000;

/** Has delivery send a subscription a marked event, paused or disabled as it may be, and gives the answer. */
export class TestSubscription {
  readonly #broker: Requester;
  readonly #subscriptions: Pick<SubscriptionStore, 'standing'>;

  constructor(broker: Requester, subscriptions: Pick<SubscriptionStore, 'standing'>) {
    this.#broker = broker;
    this.#subscriptions = subscriptions;
  }

  /**
   * @throws TocsinError `TCN_NOT_FOUND`, `TCN_PRECONDITION_FAILED`, `TCN_INVALID` for a name that cannot be one; `TCN_OVERLOADED` where it was tested a moment ago;
   *   `TCN_UNAVAILABLE`, `TCN_TIMEOUT` where delivery or the log does not answer
   */
  async run(request: Omit<WriteRequest, 'dryRun'>): Promise<TestReply> {
    const name = parseOrThrow(nameSchema, request.name, 'name');
    const declared = (await this.#subscriptions.standing([name])).get(name)?.declared;
    if (declared === undefined || !inScope(declared.spec.labels, request.scope)) {
      throw new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
    }
    checkPrecondition(request.precondition, declared.revision, subscriptionSubject(name));
    const { spec, sealedRef, envelope } = declared;
    if (envelope === undefined) {
      throw new TocsinError('TCN_SEAL_BROKEN', `the sealed destination of subscription "${name}" is missing`);
    }
    const asked = { name, actor: request.actor, spec, sealedRef, sealed: envelope.toString('base64') };
    return this.#broker.request(DELIVERY_TEST_RPC, asked, { schema: testReplySchema, timeoutMs: PATIENCE_MS });
  }
}
