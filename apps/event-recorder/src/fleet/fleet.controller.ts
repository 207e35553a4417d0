import { Controller, Get, Query } from '@nestjs/common';
import { targetSubject, type FleetPage, type NoiseReceipt, type WithheldPage } from '@tocsin/contracts';
import { RequireRole, zodQuery } from '@tocsin/platform';
import { FleetReader } from './fleet-reader.js';
import {
  fleetQuerySchema,
  noQuerySchema,
  withheldQuerySchema,
  type FleetParams,
  type WithheldParams,
} from './fleet-query.js';
import { NoiseReceipts } from './noise-receipt.js';
import { ObserverSeats } from './observer-seats.js';
import { WithheldReader } from './withheld-reader.js';

/** What an operator sees of the observers, on every replica. */
@RequireRole('viewer')
@Controller('v1')
export class FleetController {
  constructor(
    private readonly fleet: FleetReader,
    private readonly withheldEvents: WithheldReader,
    private readonly receipts: NoiseReceipts,
    private readonly seats: ObserverSeats,
  ) {}

  /** Where the targets stand, in order of their names: now, or at a moment that was. */
  @Get('fleet')
  async list(@Query(zodQuery(fleetQuerySchema)) query: FleetParams): Promise<FleetPage> {
    const { cursor, limit, labels, at } = query;
    const { at: shown, position, entries } = await this.fleet.page({ after: cursor, limit, labels, at });
    const items = entries.slice(0, limit);
    if (at === undefined) {
      const ownerOf = await this.seats.owners();
      for (const item of items) {
        const observer = ownerOf(targetSubject(item.kind, item.name), item.labels);
        if (observer !== undefined) item.observer = observer;
      }
    }
    const last = items.at(-1);
    const more = entries.length > limit && last !== undefined;
    return { at: shown, position, items, next: more ? Buffer.from(last.name).toString('base64url') : null };
  }

  /** What was stored and told to nobody, newest first. */
  @Get('withheld')
  async withheld(@Query(zodQuery(withheldQuerySchema)) query: WithheldParams): Promise<WithheldPage> {
    const entries = await this.withheldEvents.page(query);
    const items = entries.slice(0, query.limit);
    return { items, next: entries.length > query.limit ? (items.at(-1)?.position ?? null) : null };
  }

  /** Checks made → transitions → deliveries, of all observers, over their restarts. */
  @Get('noise')
  noise(@Query(zodQuery(noQuerySchema)) _query: object): Promise<NoiseReceipt> {
    return this.receipts.read();
  }
}
