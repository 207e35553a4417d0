import type { ErrorCode } from '@tocsin/domain';
import type { z } from 'zod';

/** What one call takes. */
export interface ApiBody {
  readonly schema: z.ZodType;
  /** Default: `application/json`. */
  readonly contentTypes?: readonly string[];
  /** Default: true. */
  readonly required?: boolean;
  /** A body that is accepted as it stands: a test sends it. */
  readonly example: unknown;
}

/** One way in which a call ends well. */
export interface ApiAnswer {
  readonly description: string;
  /** Absent where there is no body. */
  readonly schema?: z.ZodType;
  /** Default: `application/json`. */
  readonly contentType?: string;
  /** Header → what it says. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What cannot be read off a route: everything but its method, path and role. */
export interface ApiOperation {
  readonly summary: string;
  readonly description?: string;
  /** By name. Examples are right together with the others: a test calls with them. */
  readonly path?: Readonly<Record<string, { readonly description: string; readonly example: string }>>;
  readonly query?: z.ZodObject;
  /** Header of the request → what it says. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ApiBody;
  /** By status. */
  readonly answers: Readonly<Record<number, ApiAnswer>>;
  /** Codes beside those that any call may be refused with. */
  readonly errors?: readonly ErrorCode[];
}

/** Routes about one thing, by method and path: `PUT /v1/targets/{name}`. */
export interface ApiDescription {
  readonly tag: string;
  readonly description: string;
  readonly operations: Readonly<Record<string, ApiOperation>>;
}

/** Token under which a module provides a list of {@link ApiDescription}; of all modules of a process they make one document. */
export const API_DESCRIPTION = Symbol('description of routes');
