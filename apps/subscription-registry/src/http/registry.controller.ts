import { Controller, HttpCode, Post, Query } from '@nestjs/common';
import { RequireRole, zodQuery } from '@tocsin/platform';
import { RebuildProjection, type Rebuilt } from '../projection/rebuild-projection.js';
import { noQuerySchema } from './write-query.js';

/** The registry's own upkeep. */
@RequireRole('admin')
@Controller('v1/registry')
export class RegistryController {
  constructor(private readonly rebuilding: RebuildProjection) {}

  /** Makes the tables anew from the log and says whether a byte of them was different. Reads go on meanwhile, writes wait. */
  @Post('rebuild')
  @HttpCode(200)
  rebuild(@Query(zodQuery(noQuerySchema)) _query: object): Promise<Rebuilt> {
    return this.rebuilding.run();
  }
}
