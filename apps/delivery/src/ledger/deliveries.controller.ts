import { askFilter } from '@tocsin/cel';
import { nameSchema } from '@tocsin/contracts';
import { clauseMatches, labelsContain, TocsinError } from '@tocsin/domain';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  CurrentPrincipal,
  hasScope,
  type Principal,
  RequireRole,
  RespectsScope,
  scopeText,
  zodBody,
  zodQuery,
} from '@tocsin/platform';
import { z } from 'zod';
import { DeliveryService } from '../delivery-service.js';
import { LogSource } from '../match/log-source.js';
import { Revival } from '../retry/revival.js';
import { deliveryId, parseDeliveryId } from './delivery-id.js';
import { type AttemptView, type LedgerEntry, LedgerReader, type ParkedView } from './ledger-reader.js';
import { type DeliveryAudit, VerifyDeliveries } from '../verify/verify-deliveries.js';

const subscriptionSchema = nameSchema.optional().meta({ description: 'Only of this subscription' });

/** Query of `GET /v1/deliveries`. */
export const listQuerySchema = z.strictObject({
  subscription: subscriptionSchema,
  event: z.coerce.number().int().min(1).optional().meta({ description: 'Position of the event' }),
  state: z.enum(['delivered', 'pending', 'superseded', 'dead']).optional().meta({ description: 'Only those in it' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100).meta({ description: 'Items at most' }),
  cursor: z
    .string()
    .refine((cursor) => parseDeliveryId(cursor) !== undefined, 'must be the `next` of an earlier answer')
    .optional()
    .meta({ description: '`next` of the page before' }),
});
/** Body of `POST /v1/deliveries/retry`. */
export const retryBodySchema = z.strictObject({ subscription: nameSchema, reason: z.string().max(64).optional() });
/** Query of `GET /v1/deliveries/parked`. */
export const parkedQuerySchema = z.strictObject({ subscription: subscriptionSchema });
/** Query of `GET /v1/deliveries/verify`. */
export const verifyQuerySchema = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).meta({ description: 'Events behind this position' }),
  to: z.coerce.number().int().min(1).optional().meta({ description: 'Up to this position; default: the last' }),
});

/** The ledger over HTTP. A key with a scope sees the deliveries of subscriptions that are in it now. */
@Controller('v1/deliveries')
@RequireRole('viewer')
export class DeliveriesController {
  constructor(
    private readonly ledger: LedgerReader,
    private readonly revival: Revival,
    private readonly log: LogSource,
    private readonly audit: VerifyDeliveries,
    private readonly service: DeliveryService,
  ) {}

  @Get()
  @RespectsScope()
  async list(
    @Query(zodQuery(listQuerySchema)) query: z.output<typeof listQuerySchema>,
    @CurrentPrincipal() principal: Principal,
  ): Promise<{ items: LedgerEntry[]; next: string | null }> {
    this.#requireVisible(query.subscription, principal);
    const items = await this.ledger.list({
      subscription: query.subscription,
      position: query.event,
      state: query.state,
      limit: query.limit,
      after: query.cursor === undefined ? undefined : parseDeliveryId(query.cursor),
    });
    const last = items.at(-1);
    return { items, next: items.length < query.limit || last === undefined ? null : last.id };
  }

  /** Subscriptions that are held at a position, and everything they want behind it with them. */
  @Get('parked')
  @RespectsScope()
  async parked(
    @Query(zodQuery(parkedQuerySchema)) query: z.output<typeof parkedQuerySchema>,
    @CurrentPrincipal() principal: Principal,
  ): Promise<{ items: ParkedView[] }> {
    const items = await this.ledger.parked(query.subscription);
    return { items: items.filter(({ subscription }) => this.#isVisible(subscription, principal)) };
  }

  /** Recomputes from the log what every subscription had to be told, and compares. Reads the whole log: not for every minute. */
  @Get('verify')
  @RequireRole('admin')
  verify(@Query(zodQuery(verifyQuerySchema)) query: z.output<typeof verifyQuerySchema>): Promise<DeliveryAudit> {
    return this.audit.run(query);
  }

  /** All that were given up for a subscription are owed again, each once. */
  @Post('retry')
  @RequireRole('editor')
  @RespectsScope()
  @HttpCode(202)
  async retryAll(
    @Body(zodBody(retryBodySchema)) body: z.output<typeof retryBodySchema>,
    @CurrentPrincipal() principal: Principal,
  ): Promise<{ retried: number }> {
    if (!this.#isVisible(body.subscription, principal)) throw noSubscription(body.subscription);
    const retried = await this.revival.reviveDead(body);
    this.service.hasten();
    return { retried };
  }

  @Get(':id')
  @RespectsScope()
  async one(
    @Param('id') id: string,
    @CurrentPrincipal() principal: Principal,
  ): Promise<LedgerEntry & { history: AttemptView[] }> {
    const { subscription, position } = parsed(id);
    if (!this.#isVisible(subscription, principal)) throw notFound(id);
    const history = await this.ledger.attempts(subscription, position);
    const entry =
      (await this.ledger.one(subscription, position)) ?? (await this.#waitingOrGivenWay(subscription, position));
    if (entry === undefined) throw notFound(id);
    return { ...entry, history };
  }

  /** Tries one again now: given up, or waiting for its next attempt. */
  @Post(':id/retry')
  @RequireRole('editor')
  @RespectsScope()
  @HttpCode(202)
  async retry(@Param('id') id: string, @CurrentPrincipal() principal: Principal): Promise<{ id: string }> {
    const { subscription, position } = parsed(id);
    if (!this.#isVisible(subscription, principal)) throw notFound(id);
    const taken =
      (await this.revival.reviveDead({ subscription, position })) > 0 ||
      (await this.revival.hurry(subscription, position));
    if (!taken) {
      const entry = await this.ledger.one(subscription, position);
      if (entry === undefined) throw notFound(id);
      throw new TocsinError('TCN_CONFLICT', `delivery ${id} is ${entry.state}; to send it again, replay it`);
    }
    this.service.hasten();
    return { id };
  }

  /** The ledger has no labels: a list over all subscriptions cannot be cut to a scope. */
  #requireVisible(subscription: string | undefined, principal: Principal): void {
    if (subscription === undefined && hasScope(principal)) {
      const detail = `must name a subscription: this key is for ${scopeText(principal.scope)} only`;
      throw new TocsinError('TCN_INVALID', `query: /subscription: ${detail}`, {
        faults: [{ pointer: '/subscription', detail }],
      });
    }
    if (subscription !== undefined && !this.#isVisible(subscription, principal)) throw noSubscription(subscription);
  }

  #isVisible(subscription: string, principal: Principal): boolean {
    if (!hasScope(principal)) return true;
    const spec = this.service.specOf(subscription);
    return spec !== undefined && labelsContain(spec.labels, principal.scope);
  }

  /** Those without a row of their own: behind the position at which their subscription is parked, or superseded. */
  async #waitingOrGivenWay(subscription: string, position: number): Promise<LedgerEntry | undefined> {
    const event = await this.log.at(position);
    if (event === undefined) return undefined;
    const base = { id: deliveryId(position, subscription), subscription, position, attempts: 0 };
    const superseded = await this.ledger.supersededAt(subscription, position, event.subject);
    if (superseded !== undefined) {
      return { ...base, state: 'superseded', at: superseded.at, reason: `by the event at ${superseded.by}` };
    }
    const [parked] = await this.ledger.parked(subscription);
    const spec = this.service.specOf(subscription);
    if (
      parked === undefined ||
      parked.after >= position ||
      spec === undefined ||
      !clauseMatches(spec, event, askFilter)
    ) {
      return undefined;
    }
    return { ...base, state: 'parked', at: parked.since, reason: parked.reason };
  }
}

function parsed(id: string): { subscription: string; position: number } {
  const named = parseDeliveryId(id);
  if (named === undefined) throw notFound(id);
  return named;
}

function noSubscription(name: string): TocsinError {
  return new TocsinError('TCN_NOT_FOUND', `there is no subscription "${name}"`);
}

function notFound(id: string): TocsinError {
  const form = deliveryId(42, 'ops-chat');
  return new TocsinError(
    'TCN_NOT_FOUND',
    `there is no delivery "${id}"; ids look like ${form} (event position, subscription)`,
  );
}
