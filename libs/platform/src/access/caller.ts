import type { ArgumentsHost } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './principal.js';

/** Who makes a call, as far as the guard has found out. */
export interface Caller {
  readonly principal: Principal;
  /** Asks again. False: the key is nobody's any more, or may not do this any more, or nobody can say. */
  readonly stillAllowed: () => Promise<boolean>;
}

/** Where a call keeps its caller: on itself, so that there is no table through which all calls pass. */
const CALLER = Symbol('caller');

interface Carrier {
  [CALLER]?: Caller;
}

/** Keeps with the call who makes it, also where he is then refused: the log names him. */
export function rememberCaller(context: ArgumentsHost, caller: Caller): void {
  carrierOf(context)[CALLER] = caller;
}

/** Who makes the call; undefined on public routes, and where the key is nobody's. */
export function callerOf(context: ArgumentsHost): Caller | undefined {
  return carrierOf(context)[CALLER];
}

/** Who calls, once the guard has let the call in; undefined on public routes. */
export function principalOf(context: ArgumentsHost): Principal | undefined {
  return callerOf(context)?.principal;
}

/** What belongs to this call alone: the HTTP request, or the metadata of the gRPC call. */
function carrierOf(context: ArgumentsHost): Carrier {
  return context.getType() === 'http'
    ? context.switchToHttp().getRequest<Request & Carrier>()
    : context.switchToRpc().getContext<Carrier>();
}
