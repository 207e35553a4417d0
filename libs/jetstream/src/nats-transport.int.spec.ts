import { TocsinError } from '@tocsin/domain';
import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { NatsTransport, TocsinErrorFilter } from './nats-transport.js';
import type { RequestContext } from './responder.js';
import { NatsUnderTest } from './jetstream.harness.js';

@Controller()
class GreetingController {
  @MessagePattern('spec.greet')
  greet(@Payload() payload: { name: string }, @Ctx() context: RequestContext): { text: string; subject: string } {
    return { text: `hello ${payload.name}`, subject: context.subject };
  }

  @MessagePattern('spec.stream')
  stream() {
    return of('only');
  }

  @MessagePattern('spec.refuse')
  refuse(): Promise<never> {
    return Promise.reject(new TocsinError('TCN_NOT_FOUND', 'there is no such thing', { retryAfterMs: 5 }));
  }

  @MessagePattern('spec.break')
  break(): Promise<never> {
    throw new Error('SELECT secret');
  }
}

@Module({ controllers: [GreetingController] })
class GreetingModule {}

@Controller()
class EventController {
  @EventPattern('spec.event')
  event(@Payload() _payload: unknown): void {}
}

@Module({ controllers: [EventController] })
class EventModule {}

let nats: NatsUnderTest;
let broker: Broker;
let app: INestMicroservice;

beforeAll(async () => {
  nats = await NatsUnderTest.start();
  broker = await nats.broker();
  app = await NestFactory.createMicroservice(GreetingModule, {
    strategy: new NatsTransport({ broker: await nats.broker('service'), queue: 'spec' }),
    logger: false,
  });
  app.useGlobalFilters(new TocsinErrorFilter());
  await app.listen();
});

afterAll(async () => {
  await app.close();
  await nats.dispose();
});

describe('NatsTransport', () => {
  it('answers requests by @MessagePattern', async () => {
    expect(await broker.request('spec.greet', { name: 'edge' })).toEqual({ text: 'hello edge', subject: 'spec.greet' });
    expect(await broker.request('spec.stream', {})).toBe('only');
  });

  it('hands TocsinErrors to the caller as they are', async () => {
    await expect(broker.request('spec.refuse', {})).rejects.toMatchObject({
      code: 'TCN_NOT_FOUND',
      message: 'there is no such thing',
      retryAfterMs: 5,
    });
  });

  it('hides any other error', async () => {
    const error = await broker.request('spec.break', {}).catch((reason: unknown) => reason as TocsinError);
    expect(error).toMatchObject({ code: 'TCN_INTERNAL' });
    expect((error as TocsinError).message).not.toContain('secret');
  });

  it('refuses @EventPattern', async () => {
    const wrong = await NestFactory.createMicroservice(EventModule, {
      strategy: new NatsTransport({ broker, queue: 'spec' }),
      logger: false,
    });
    await expect(wrong.listen()).rejects.toThrow('@MessagePattern only');
    await wrong.close();
  });

  it('takes nothing more once the application is closed', async () => {
    const short = await NestFactory.createMicroservice(GreetingModule, {
      strategy: new NatsTransport({ broker: await nats.broker('short'), queue: 'spec' }),
      logger: false,
    });
    await short.listen();
    await short.close();
    for (let round = 0; round < 20; round++) {
      expect(await broker.request('spec.stream', {})).toBe('only');
    }
    await app.close();
    await expect(broker.request('spec.stream', {})).rejects.toMatchObject({ code: 'TCN_UNAVAILABLE' });
  });
});
