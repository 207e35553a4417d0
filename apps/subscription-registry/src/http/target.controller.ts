import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Put, UseInterceptors } from '@nestjs/common';
import type { TargetView } from '@tocsin/contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { Page, PageRequest } from '../request/page.js';
import { DeclareTarget } from '../targets/declare-target.js';
import { ReadTargets } from '../targets/read-targets.js';
import { RemoveTarget } from '../targets/remove-target.js';
import { RotateToken } from '../targets/rotate-token.js';
import { Answer, AnswerWriter } from './answer.js';

/** Targets over HTTP: reads the request, calls the use case, writes the answer. */
@RespectsScope()
@UseInterceptors(OnceOnly, AnswerWriter)
@Controller('v1/targets')
export class TargetController {
  constructor(
    private readonly declare: DeclareTarget,
    private readonly remove: RemoveTarget,
    private readonly read: ReadTargets,
    private readonly rotating: RotateToken,
  ) {}

  /** A page of targets in order of their names; `labels=site=fra,role=edge` selects. */
  @RequireRole('viewer')
  @Get()
  list(@ReadPage() request: PageRequest): Promise<Page<TargetView>> {
    return this.read.page(request);
  }

  /** One target with its state. */
  @RequireRole('viewer')
  @Get(':name')
  async get(@Read() request: ReadRequest): Promise<Answer<TargetView>> {
    return new Answer(await this.read.one(request));
  }

  /** Creates (201) or replaces (200). */
  @RequireRole('editor')
  @Put(':name')
  async put(@Write() write: WriteRequest, @Body() body: unknown): Promise<Answer<TargetView>> {
    const { outcome, target } = await this.declare.run({ ...write, body });
    return new Answer(target, { ...write, outcome });
  }

  /** Changes some fields, by JSON Merge Patch. */
  @RequireRole('editor')
  @Patch(':name')
  async patch(@Write() write: WriteRequest, @Body() patch: unknown): Promise<Answer<TargetView>> {
    const { outcome, target } = await this.declare.patch({ ...write, patch });
    return new Answer(target, { ...write, outcome });
  }

  /** Stops watching. */
  @RequireRole('editor')
  @Delete(':name')
  @HttpCode(204)
  async delete(@Write() write: WriteRequest): Promise<void> {
    await this.remove.run(write);
  }

  /** Gives a heartbeat a new token; for a while the old one is taken too. */
  @RequireRole('editor')
  @Post(':name/rotate-token')
  @HttpCode(200)
  async rotateToken(@Write({ dryRun: false }) write: WriteRequest, @Body() body: unknown): Promise<Answer<TargetView>> {
    return new Answer(await this.rotating.run({ ...write, body }));
  }
}
