import { Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import type { ExecutionContext } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { faultAt } from '../request/fault.js';
import type { GivenAnswer, OnceKey } from './answer-store.js';

const KEY = /^[\x21-\x7e]{1,255}$/;
/** What an answer over HTTP says beside its body. */
const KEPT_HEADERS = ['etag', 'location', 'tocsin-dry-run', 'cache-control'];
/** Says that an answer was given before: a header, or over gRPC metadata. */
const REPLAYED = 'idempotent-replayed';

/** A request and its answer, whatever carries them. */
export interface Exchange {
  /** Absent where the request does not name itself. */
  readonly once: OnceKey | undefined;
  /** Of everything the request says. */
  fingerprint(): Buffer;
  /** What is kept of the answer. */
  given(body: unknown): GivenAnswer;
  /** Gives an answer again; returns its body. */
  repeat(given: GivenAnswer): unknown;
}

type Request = IncomingMessage & { originalUrl?: string; rawBody?: Buffer };

/** @throws TocsinError `TCN_INVALID` for a key that cannot be one */
export function httpExchange(context: ExecutionContext): Exchange {
  const request = context.switchToHttp().getRequest<Request>();
  const response = context.switchToHttp().getResponse<ServerResponse>();
  const { method, originalUrl, headers } = request;
  const named = method === 'GET' || method === 'HEAD' ? undefined : headers['idempotency-key'];
  return {
    once: onceKey('Idempotency-Key', named, headers.authorization),
    fingerprint: () => {
      const said = JSON.stringify([method, originalUrl, headers['if-match'], headers['if-none-match']]);
      return digest(said, request.rawBody ?? Buffer.of());
    },
    given: (body) => {
      const kept = KEPT_HEADERS.flatMap((name): [string, string][] => {
        const value = response.getHeader(name);
        return typeof value === 'string' ? [[name, value]] : [];
      });
      return {
        status: response.statusCode,
        headers: Object.fromEntries(kept),
        ...(body === undefined ? {} : { body }),
      };
    },
    repeat: (given) => {
      response.statusCode = given.status;
      for (const [name, value] of Object.entries(given.headers)) response.setHeader(name, value);
      response.setHeader(REPLAYED, 'true');
      return given.body;
    },
  };
}

/** @throws TocsinError `TCN_INVALID` for an id that cannot be one */
export function grpcExchange(context: ExecutionContext): Exchange {
  const message = context.switchToRpc().getData<{ requestId?: string }>();
  const [authorization] = context.switchToRpc().getContext<Metadata>().get('authorization');
  const call = context.getArgByIndex<ServerUnaryCall<unknown, unknown>>(2);
  const named = message.requestId === '' ? undefined : message.requestId;
  return {
    once: onceKey('request_id', named, String(authorization)),
    fingerprint: () => digest(call.getPath(), JSON.stringify(message)),
    given: (body) => ({ status: 0, headers: {}, body }),
    repeat: (given) => {
      const metadata = new Metadata();
      metadata.set(REPLAYED, 'true');
      call.sendMetadata(metadata);
      return given.body;
    },
  };
}

function onceKey(what: string, key: unknown, authorization: string | undefined): OnceKey | undefined {
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw faultAt('TCN_INVALID', what, '', 'must be 1 to 255 printable ASCII characters');
  }
  // The guard has found the API key good; its digest tells callers apart without saying anything about it.
  return { caller: digest(authorization ?? '').toString('base64url'), key };
}

function digest(...parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
