import { nameSchema } from '@tocsin/contracts';
import { TocsinError } from '@tocsin/domain';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { RequireRole, zodQuery } from '@tocsin/platform';
import { z } from 'zod';
import { type AttemptView, deliveryId, type LedgerEntry, LedgerReader, parseDeliveryId } from './ledger-reader.js';

const listQuerySchema = z.strictObject({
  subscription: nameSchema.optional(),
  event: z.coerce.number().int().min(1).optional().meta({ description: 'Position of the event' }),
  state: z.enum(['delivered', 'pending', 'dead']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .refine((cursor) => parseDeliveryId(cursor) !== undefined, 'must be the `next` of an earlier answer')
    .optional(),
});

/** The ledger over HTTP. */
@Controller('v1/deliveries')
@RequireRole('viewer')
export class DeliveriesController {
  constructor(private readonly ledger: LedgerReader) {}

  @Get()
  async list(
    @Query(zodQuery(listQuerySchema)) query: z.output<typeof listQuerySchema>,
  ): Promise<{ items: LedgerEntry[]; next: string | null }> {
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

  @Get(':id')
  async one(@Param('id') id: string): Promise<LedgerEntry & { history: AttemptView[] }> {
    const named = parseDeliveryId(id);
    if (named !== undefined) {
      const [entry] = await this.ledger.list({ ...named, limit: 1 });
      const history = await this.ledger.attempts(named.subscription, named.position);
      if (entry !== undefined) return { ...entry, history };
    }
    const form = deliveryId(42, 'ops-chat');
    throw new TocsinError(
      'TCN_NOT_FOUND',
      `there is no delivery "${id}"; ids look like ${form} (event position, subscription)`,
    );
  }
}
