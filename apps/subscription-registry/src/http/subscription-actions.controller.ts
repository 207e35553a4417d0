import { Body, Controller, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import type { ReplaySpec, SubscriptionView } from '@tocsin/contracts';
import { RequireRole, RespectsScope } from '@tocsin/platform';
import { OnceOnly } from '../once/once-only.js';
import { Write, type WriteRequest } from '../request/call.js';
import { PauseSubscription } from '../subscriptions/pause-subscription.js';
import { RequestReplay } from '../subscriptions/request-replay.js';
import { Answer, AnswerWriter } from './answer.js';

/** What may be done with a subscription besides declaring it. */
@RespectsScope()
@UseInterceptors(OnceOnly, AnswerWriter)
@RequireRole('editor')
@Controller('v1/subscriptions')
export class SubscriptionActionsController {
  constructor(
    private readonly pausing: PauseSubscription,
    private readonly replaying: RequestReplay,
  ) {}

  /** Sends nothing more for now; what matches waits. */
  @Post(':name/pause')
  @HttpCode(200)
  async pause(@Write({ dryRun: false }) write: WriteRequest): Promise<Answer<SubscriptionView>> {
    return new Answer(await this.pausing.run({ ...write, paused: true }));
  }

  /** Goes on, with what has waited; where only the latest counts, with the newest of each subject. */
  @Post(':name/resume')
  @HttpCode(200)
  async resume(@Write({ dryRun: false }) write: WriteRequest): Promise<Answer<SubscriptionView>> {
    return new Answer(await this.pausing.run({ ...write, paused: false }));
  }

  /** Sends again what matched between two points of the log, with the ids it had. */
  @Post(':name/replay')
  @HttpCode(202)
  replay(
    @Write({ dryRun: false }) write: WriteRequest,
    @Body() body: unknown,
  ): Promise<{ name: string; replay: ReplaySpec }> {
    return this.replaying.run({ ...write, body });
  }
}
