import { nameSchema, timestampSchema } from '@tocsin/contracts';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { RequireRole, zodQuery } from '@tocsin/platform';
import { z } from 'zod';
import { Explainer } from './explainer.js';
import type { EventStory, Explanation } from './story.js';

const subscription = nameSchema.optional().meta({ description: 'Only of this subscription; it need not exist' });

/** Query of `GET /v1/explain`. */
export const explainQuerySchema = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(1024)
    .meta({
      description: 'What it is about: `node/edge-fra-17`, or the name of a target alone',
      examples: ['node/edge-fra-17'],
    }),
  subscription,
  at: timestampSchema
    .optional()
    .meta({ description: 'About this time, give or take ten minutes; default: the newest there is' }),
});
/** Query of `GET /v1/explain/{event}`. */
export const explainEventQuerySchema = z.strictObject({ subscription });

/** Why somebody was told, or was not. */
@Controller('v1/explain')
@RequireRole('viewer')
export class ExplainController {
  constructor(private readonly explainer: Explainer) {}

  @Get()
  explain(@Query(zodQuery(explainQuerySchema)) query: z.output<typeof explainQuerySchema>): Promise<Explanation> {
    const { subject, at } = query;
    return this.explainer.explain({
      subject,
      subscription: query.subscription,
      atMs: at === undefined ? undefined : Date.parse(at),
    });
  }

  /** The story of one event, by position or id. */
  @Get(':event')
  event(
    @Param('event') event: string,
    @Query(zodQuery(explainEventQuerySchema)) query: z.output<typeof explainEventQuerySchema>,
  ): Promise<EventStory> {
    return this.explainer.event(event, query.subscription);
  }
}
