import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { parseOrThrow } from '@tocsin/contracts';
import { principalOf, type Scope } from '@tocsin/platform';
import { TocsinError } from '@tocsin/domain';
import type { IncomingHttpHeaders } from 'node:http';
import { preconditionOf } from '../http/conditions.js';
import { noQuerySchema, writeQuerySchema } from '../http/write-query.js';
import type { Precondition } from '../log/precondition.js';
import { type PageRequest, pageOfMessage, parseListQuery, parsePageQuery } from './page.js';

/** What a call that reads one thing says, over HTTP or gRPC. */
export interface ReadRequest {
  readonly name: string;
  /** Labels that all the caller may see carries; absent: everything. */
  readonly scope?: Scope;
}

/** What a call that changes one thing says besides how the thing shall be, over HTTP or gRPC. */
export interface WriteRequest extends ReadRequest {
  /** Name of the API key the call came with. */
  readonly actor: string;
  readonly precondition: Precondition;
  /** Check everything, say what would be, record nothing. */
  readonly dryRun: boolean;
}

interface HttpRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

/** The fields of gRPC messages that say the same in each. */
interface Message {
  readonly name?: string;
  readonly expectedRevision?: number;
  readonly dryRun?: boolean;
}

/** Parameter of a handler: the {@link ReadRequest} of its call. */
export const Read = createParamDecorator((_data: unknown, context: ExecutionContext): ReadRequest => ({
  name: nameOf(context),
  ...scopeOf(context),
}));

/**
 * Parameter of a handler: the {@link WriteRequest} of its call. A call without dry run over HTTP takes no query: `?dryRun=true` must not be
 * ignored by one that then writes.
 */
export const Write = createParamDecorator(
  ({ dryRun = true }: { dryRun?: boolean } = {}, context: ExecutionContext): WriteRequest => ({
    name: nameOf(context),
    ...scopeOf(context),
    actor: callerOf(context).name,
    ...(context.getType() === 'http' ? httpConditions(httpOf(context), dryRun) : grpcConditions(messageOf(context))),
  }),
);

/** Parameter of a handler: which part of a list its call wants. */
export const ReadPage = createParamDecorator(
  ({ labels = true }: { labels?: boolean } = {}, context: ExecutionContext): PageRequest => ({
    ...pageOf(context, labels),
    ...scopeOf(context),
  }),
);

function pageOf(context: ExecutionContext, labels: boolean): PageRequest {
  if (context.getType() !== 'http') return pageOfMessage(messageOf(context));
  const { query } = httpOf(context);
  return labels ? parseListQuery({ ...query }) : parsePageQuery({ ...query });
}

function httpConditions(
  { query, headers }: HttpRequest,
  dryRun: boolean,
): Pick<WriteRequest, 'precondition' | 'dryRun'> {
  const said = dryRun
    ? parseOrThrow(writeQuerySchema, { ...query }, 'query')
    : parseOrThrow(noQuerySchema, { ...query }, 'query');
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  return {
    precondition: preconditionOf({
      ...(ifMatch === undefined ? {} : { ifMatch }),
      ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    }),
    dryRun: 'dryRun' in said && said.dryRun,
  };
}

/** Revision 0 is that of what is not there. */
function grpcConditions({ expectedRevision, dryRun = false }: Message): Pick<WriteRequest, 'precondition' | 'dryRun'> {
  if (expectedRevision === undefined) return { precondition: {}, dryRun };
  return { precondition: expectedRevision === 0 ? { ifNoneMatch: '*' } : { ifMatch: [expectedRevision] }, dryRun };
}

function nameOf(context: ExecutionContext): string {
  return (context.getType() === 'http' ? httpOf(context).params['name'] : messageOf(context).name) ?? '';
}

function scopeOf(context: ExecutionContext): { scope?: Scope } {
  const { scope } = callerOf(context);
  return scope === undefined ? {} : { scope };
}

function callerOf(context: ExecutionContext) {
  const principal = principalOf(context);
  if (principal === undefined) throw new TocsinError('TCN_INTERNAL', 'a public route asked who calls');
  return principal;
}

function httpOf(context: ExecutionContext): HttpRequest {
  return context.switchToHttp().getRequest<HttpRequest>();
}

function messageOf(context: ExecutionContext): Message {
  return context.switchToRpc().getData<Message>();
}
