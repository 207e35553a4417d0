import { Body, Controller, Delete, Get, HttpCode, Put, UseInterceptors } from '@nestjs/common';
import type { KeyView } from '@tocsin/contracts';
import { RequireRole } from '@tocsin/platform';
import { DeclareKey } from '../access/declare-key.js';
import { ReadKeys } from '../access/read-keys.js';
import { RemoveKey } from '../access/remove-key.js';
import { OnceOnly } from '../once/once-only.js';
import { Read, ReadPage, type ReadRequest, Write, type WriteRequest } from '../request/call.js';
import type { Page, PageRequest } from '../request/page.js';
import { Answer, AnswerWriter } from './answer.js';

/** API keys over HTTP, for admins alone. */
@RequireRole('admin')
@UseInterceptors(OnceOnly, AnswerWriter)
@Controller('v1/keys')
export class KeyController {
  constructor(
    private readonly declare: DeclareKey,
    private readonly remove: RemoveKey,
    private readonly read: ReadKeys,
  ) {}

  /** A page of keys in order of their names. */
  @Get()
  list(@ReadPage({ labels: false }) request: PageRequest): Promise<Page<KeyView>> {
    return this.read.page(request);
  }

  /** One key: what it may do, never the key itself. */
  @Get(':name')
  async get(@Read() { name }: ReadRequest): Promise<Answer<KeyView>> {
    return new Answer(await this.read.one(name));
  }

  /** Makes a key (201), and then shows it, this once; or changes what it may do (200), and the key stays. */
  @Put(':name')
  async put(@Write() write: WriteRequest, @Body() body: unknown): Promise<Answer<KeyView>> {
    const { outcome, key } = await this.declare.run({ ...write, body });
    return new Answer(key, { ...write, outcome });
  }

  /** Revokes: within two seconds the key is refused everywhere. */
  @Delete(':name')
  @HttpCode(204)
  async delete(@Write() write: WriteRequest): Promise<void> {
    await this.remove.run(write);
  }
}
