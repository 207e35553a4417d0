import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Param,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { KeyView } from '@tocsin/contracts';
import { CurrentPrincipal, type Principal, RequireRole, zodQuery } from '@tocsin/platform';
import type { ServerResponse } from 'node:http';
import { DeclareKey } from '../access/declare-key.js';
import { ReadKeys } from '../access/read-keys.js';
import { RemoveKey } from '../access/remove-key.js';
import { OnceOnly } from '../once/once-only.js';
import { type Page, parsePageQuery } from '../request/page.js';
import { etagOf, preconditionOf } from './conditions.js';
import { DRY_RUN_HEADER, type WriteQuery, writeQuerySchema } from './write-query.js';

/** API keys over HTTP, for admins alone. */
@RequireRole('admin')
@UseInterceptors(OnceOnly)
@Controller('v1/keys')
export class KeyController {
  constructor(
    private readonly declare: DeclareKey,
    private readonly remove: RemoveKey,
    private readonly read: ReadKeys,
  ) {}

  /** A page of keys in order of their names. */
  @Get()
  list(@Query() query: unknown): Promise<Page<KeyView>> {
    return this.read.page(parsePageQuery(query));
  }

  /** One key: what it may do, never the key itself. */
  @Get(':name')
  async get(@Param('name') name: string, @Res({ passthrough: true }) response: ServerResponse): Promise<KeyView> {
    const key = await this.read.one(name);
    response.setHeader('etag', etagOf(key.revision));
    return key;
  }

  /** Makes a key (201), and then shows it, this once; or changes what it may do (200), and the key stays. */
  @Put(':name')
  async put(
    @Param('name') name: string,
    @Query(zodQuery(writeQuerySchema)) { dryRun }: WriteQuery,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<KeyView> {
    const precondition = preconditionOf({ ifMatch, ifNoneMatch });
    const { outcome, key } = await this.declare.run({ name, body, actor: principal.name, precondition, dryRun });
    if (dryRun) {
      response.setHeader(DRY_RUN_HEADER, outcome);
      return key;
    }
    response.statusCode = outcome === 'created' ? 201 : 200;
    if (outcome === 'created') {
      response.setHeader('location', `/v1/keys/${name}`);
      response.setHeader('cache-control', 'no-store');
    }
    response.setHeader('etag', etagOf(key.revision));
    return key;
  }

  /** Revokes: within two seconds the key is refused everywhere. */
  @Delete(':name')
  @HttpCode(204)
  async delete(
    @Param('name') name: string,
    @Query(zodQuery(writeQuerySchema)) { dryRun }: WriteQuery,
    @Headers('if-match') ifMatch: string | undefined,
    @CurrentPrincipal() principal: Principal,
  ): Promise<void> {
    await this.remove.run({ name, actor: principal.name, precondition: preconditionOf({ ifMatch }), dryRun });
  }
}
