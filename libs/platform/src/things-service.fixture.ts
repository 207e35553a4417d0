// A service with every kind of route, for the specs of this library.
import { Body, Controller, Get, HttpCode, Module, Param, Post, Put, Query, RawBody, Sse } from '@nestjs/common';
import { TocsinError } from '@tocsin/domain';
import { NEVER, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  AnyContentType,
  BodyLimit,
  bootstrap,
  type BootstrapOptions,
  BootstrapKeyVerifier,
  createLogger,
  CurrentPrincipal,
  type KeyVerifier,
  type Principal,
  Public,
  ReadinessRegistry,
  RequireRole,
  RespectsScope,
  type RunningApp,
  type ServiceContext,
  systemClock,
  zodBody,
  zodParam,
} from './index.js';

/** Key with the role admin; the others are named like their roles. */
export const ADMIN_KEY = 'admin-key-of-at-least-thirty-two-characters';
const searchSchema = z.strictObject({ limit: z.coerce.number<string>().int().max(100) });
const thingSchema = z.strictObject({ name: z.string(), size: z.int().min(1) });

@Controller('v1')
class ThingsController {
  @Get('public')
  @Public()
  open() {
    return { open: true };
  }

  @Get('things/:name')
  @RequireRole('viewer')
  read(@Param('name', zodParam(z.string().max(5, 'must be at most 5 characters'), 'name')) name: string) {
    return { name };
  }

  @Get('scoped')
  @RequireRole('viewer')
  @RespectsScope()
  scoped(@CurrentPrincipal() principal: Principal) {
    return { scope: principal.scope };
  }

  @Put('things/:name')
  @RequireRole('editor')
  write(@Body(zodBody(thingSchema)) thing: z.output<typeof thingSchema>, @CurrentPrincipal() principal: Principal) {
    return { thing, by: principal.name };
  }

  @Get('search')
  @Public()
  search(@Query({ schema: searchSchema }) query: z.output<typeof searchSchema>) {
    return query;
  }

  @Post('search')
  @Public()
  @HttpCode(200)
  searchByBody(@Body({ schema: searchSchema }) query: z.output<typeof searchSchema>) {
    return query;
  }

  @Post('heartbeats/:token')
  heartbeat() {
    return {};
  }

  @Post('large')
  @Public()
  @HttpCode(200)
  @BodyLimit(3_000)
  large(@Body() body: unknown) {
    return { bytes: JSON.stringify(body).length };
  }

  @Post('events')
  @HttpCode(201)
  @RequireRole('producer')
  @AnyContentType()
  append(@RawBody() raw: Buffer | undefined, @Body() body: unknown) {
    return { raw: raw?.toString('hex'), body };
  }

  @Get('unmarked')
  unmarked() {
    return {};
  }

  @Get('fails')
  @Public()
  fails() {
    throw new Error('the password is hunter2');
  }

  @Get('overloaded')
  @Public()
  overloaded() {
    throw new TocsinError('TCN_OVERLOADED', 'too many appends wait', { retryAfterMs: 1_200 });
  }

  @Get('database')
  @Public()
  database() {
    throw new TocsinError('TCN_POSTGRES_UNREACHABLE', 'cannot connect to db.internal:5432/tocsin');
  }

  @Sse('stream')
  @Public()
  stream(): Observable<{ data: string }> {
    return NEVER;
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const KEYS: Record<string, Principal> = {
  viewer: { name: 'dashboard', role: 'viewer' },
  editor: { name: 'ci', role: 'editor' },
  producer: { name: 'deployer', role: 'producer' },
  scoped: { name: 'team-a', role: 'editor', scope: { team: 'a' } },
  slow: { name: 'slow', role: 'viewer', rate: { perSecond: 0.1, burst: 1 } },
};
const bootstrapKey = new BootstrapKeyVerifier(ADMIN_KEY);
const verifier: KeyVerifier = { verify: async (key) => KEYS[key] ?? bootstrapKey.verify(key) };

let running: RunningApp | undefined;
let lines: Record<string, unknown>[] = [];

/** What was logged since the last `context()`. */
export function logged(): Record<string, unknown>[] {
  return lines;
}

export function context(): ServiceContext {
  lines = [];
  return {
    logger: createLogger({
      name: 'test',
      level: 'debug',
      destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    clock: systemClock,
    random: Math.random,
    readiness: new ReadinessRegistry(),
  };
}

export async function start(options: Partial<BootstrapOptions> = {}): Promise<RunningApp> {
  running = await bootstrap(ThingsModule, {
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    context: context(),
    verifier,
    signals: false,
    ...options,
  });
  return running;
}

/** Ends the service; for `afterEach`. */
export async function stop(): Promise<void> {
  await running?.close();
  running = undefined;
}

/** Calls the running service. */
export async function call(path: string, init: RequestInit & { key?: string } = {}) {
  const headers = new Headers(init.headers);
  if (init.key !== undefined) headers.set('authorization', `Bearer ${init.key}`);
  const response = await fetch(`${running?.url}${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Writes a thing, by default as an editor. */
export function putThing(body: string, contentType: string | undefined = 'application/json', key = 'editor') {
  return call('/v1/things/a', {
    method: 'PUT',
    body,
    key,
    headers: contentType ? { 'content-type': contentType } : {},
  });
}
