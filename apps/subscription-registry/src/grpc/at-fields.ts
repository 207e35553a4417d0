import { nameSchema, parseOrThrow } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { type MessageCodec, type Struct, structToJson } from '@tocsin/grpc-contracts';
import { z } from 'zod';
import type { WriteRequest } from '../request/call.js';

const namedSchema = z.object({ name: nameSchema });

/** A body as it came in a field of a message. */
export interface FieldMessage<M extends object> {
  /** Of the request: `target`. */
  readonly field: string;
  readonly codec: MessageCodec<M>;
  readonly message: M | null | undefined;
}

/** What a message says that patches: the JSON Merge Patch, as the loader gives it. */
export interface PatchMessage {
  readonly patch: Struct | null;
}

/**
 * Runs a use case on the body that came in a message. Its faults point into the JSON body that it knows; who called knows the message, so they
 * name the fields of that: `/check/url` is `target.check.http.url`.
 * @throws TocsinError those of the use case; `TCN_INVALID` for a name that cannot be one
 */
export async function atFields<M extends object, T>(
  write: WriteRequest,
  { field, codec, message }: FieldMessage<M>,
  run: (request: WriteRequest & { body: unknown }) => Promise<T>,
): Promise<T> {
  const body = codec.toBody(message);
  const pathOf = (pointer: string) => [field, codec.fieldPath(pointer, body)].filter((part) => part !== '').join('.');
  return named(write.name, () => run({ ...write, body }), pathOf);
}

/** The same for a patch: its fields are those of the JSON body, below `patch`. */
export async function atPatch<T>(
  write: WriteRequest,
  { patch }: PatchMessage,
  run: (request: WriteRequest & { patch: unknown }) => Promise<T>,
): Promise<T> {
  const pathOf = (pointer: string) => ['patch', ...pointer.split('/').slice(1)].join('.');
  return named(write.name, () => run({ ...write, patch: structToJson(patch) }), pathOf);
}

/** The same where the fields of the body stand in the request itself, or there is none. */
export async function atPlainFields<T>(name: string, run: () => Promise<T>): Promise<T> {
  return named(name, run, (pointer) => pointer.split('/').slice(1).join('.'));
}

async function named<T>(name: string, run: () => Promise<T>, fieldOf: (pointer: string) => string): Promise<T> {
  try {
    parseOrThrow(namedSchema, { name }, 'request');
  } catch (error) {
    throw renamed(error, () => 'name');
  }
  try {
    return await run();
  } catch (error) {
    throw renamed(error, (pointer) => (pointer === '/name' ? 'name' : fieldOf(pointer)));
  }
}

function renamed(error: unknown, fieldOf: (pointer: string) => string): unknown {
  if (!isTocsinError(error) || error.faults.length === 0) return error;
  const { code, message, retryAfterMs } = error;
  const faults = error.faults.map(({ pointer, detail }) => ({ pointer: fieldOf(pointer), detail }));
  return new TocsinError(code, message, {
    ...{ cause: error, faults },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
