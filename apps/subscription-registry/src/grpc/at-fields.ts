import { nameSchema, parseOrThrow } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { MessageCodec } from '@tocsin/grpc-contracts';
import { z } from 'zod';

const namedSchema = z.object({ name: nameSchema });

/** A body that came in a field of a message. */
export interface FieldBody<M extends object> {
  /** Of the request: `target`. */
  readonly field: string;
  readonly codec: MessageCodec<M>;
  readonly body: unknown;
}

/**
 * Runs a use case on what came in a message. Its faults point into the JSON body that it knows; who called knows the message, so they name the
 * fields of that: `/check/url` is `target.check.http.url`.
 * @throws TocsinError those of the use case; `TCN_INVALID` for a name that cannot be one
 */
export async function atFields<M extends object, T>(
  name: string,
  { field, codec, body }: FieldBody<M>,
  run: () => Promise<T>,
): Promise<T> {
  return named(name, run, (pointer) => [field, codec.fieldPath(pointer, body)].filter((part) => part !== '').join('.'));
}

/** The same where the fields of the body stand in the request itself, or below `field` as they are in JSON. */
export async function atPlainFields<T>(name: string, run: () => Promise<T>, field?: string): Promise<T> {
  return named(name, run, (pointer) =>
    [...(field === undefined ? [] : [field]), ...pointer.split('/').slice(1)].join('.'),
  );
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
