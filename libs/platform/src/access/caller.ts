import type { ArgumentsHost } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './principal.js';

/** Who makes a call, as far as the guard has found out. */
export interface Caller {
  readonly principal: Principal;
  /** Asks again. False: the key is nobody's any more, or may not do this any more, or nobody can say. */
  readonly stillAllowed: () => Promise<boolean>;
}

const callers = new WeakMap<object, Caller>();

/** Keeps with the call who makes it, also where he is then refused: the log names him. */
export function rememberCaller(context: ArgumentsHost, caller: Caller): void {
  callers.set(carrierOf(context), caller);
}

/** Who makes the call; undefined on public routes, and where the key is nobody's. */
export function callerOf(context: ArgumentsHost): Caller | undefined {
  return callers.get(carrierOf(context));
}

/** Who calls, once the guard has let the call in; undefined on public routes. */
export function principalOf(context: ArgumentsHost): Principal | undefined {
  return callerOf(context)?.principal;
}

/** What belongs to this call alone: the HTTP request, or the metadata of the gRPC call. */
function carrierOf(context: ArgumentsHost): object {
  return context.getType() === 'http'
    ? context.switchToHttp().getRequest<Request>()
    : context.switchToRpc().getContext<object>();
}
