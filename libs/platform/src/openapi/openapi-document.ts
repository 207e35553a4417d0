import { problemSchema } from '@tocsin/contracts';
import { ERROR_CATALOGUE, type ErrorCode } from '@tocsin/domain';
import { roleSatisfies, ROLES } from '../access/principal.js';
import { ERROR_STATUS } from '../errors/status.js';
import type { ApiAnswer, ApiBody, ApiDescription, ApiOperation } from './api-description.js';
import { keyOf, type ServedRoute } from './routes.js';
import { type Json, SchemaSet } from './schema-set.js';

/** Codes that a call with a key may be refused with, whatever it is. */
const OF_ANY_KEYED: readonly ErrorCode[] = ['TCN_UNAUTHENTICATED', 'TCN_FORBIDDEN', 'TCN_OVERLOADED'];
/** And of any call. */
const OF_ANY: readonly ErrorCode[] = ['TCN_UNAVAILABLE', 'TCN_INTERNAL'];
const OF_ANY_BODY: readonly ErrorCode[] = ['TCN_MALFORMED', 'TCN_TOO_LARGE', 'TCN_UNSUPPORTED_MEDIA_TYPE'];

const ABOUT = `Every error is a problem document (RFC 9457) with a stable \`code\`. Writes take \`If-Match\` with the \`ETag\` of what was read;
lists are read page by page with \`cursor\`. API keys are sent as \`Authorization: Bearer <key>\`.`;

/** What a process serves and what its modules say of it, and how far the two differ. */
export interface OpenApi {
  /** OpenAPI 3.1. */
  readonly document: Json;
  /** Routes that nobody describes. */
  readonly undescribed: readonly string[];
  /** Descriptions of routes that are not there. */
  readonly stale: readonly string[];
}

/** Makes the document from the routes there are. */
export function openApi(routes: readonly ServedRoute[], descriptions: readonly ApiDescription[]): OpenApi {
  const schemas = new SchemaSet();
  const problem = schemas.answer(problemSchema);
  const paths: Record<string, Json> = {};
  const undescribed: string[] = [];
  for (const route of routes) {
    const found = descriptions.find(({ operations }) => keyOf(route) in operations);
    const operation = found?.operations[keyOf(route)];
    if (found === undefined || operation === undefined) {
      undescribed.push(keyOf(route));
      continue;
    }
    paths[route.path] ??= {};
    Object.assign(paths[route.path] as Json, {
      [route.method.toLowerCase()]: operationOf(route, operation, { tag: found.tag, problem, schemas }),
    });
  }
  const served = new Set(routes.map(keyOf));
  const used = descriptions.filter(({ operations }) => Object.keys(operations).some((key) => served.has(key)));
  const resolved = schemas.resolve({
    openapi: '3.1.1',
    info: {
      title: 'Tocsin',
      version: '1',
      description: ABOUT,
      contact: { name: 'Tocsin' },
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This process' }],
    tags: used
      .map(({ tag, description }) => ({ name: tag, description }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
    paths,
  });
  return {
    document: {
      ...resolved.document,
      components: {
        schemas: resolved.schemas,
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key' } },
      },
    },
    undescribed,
    stale: descriptions.flatMap(({ operations }) => Object.keys(operations).filter((key) => !served.has(key))),
  };
}

interface Parts {
  readonly tag: string;
  readonly problem: Json;
  readonly schemas: SchemaSet;
}

function operationOf(route: ServedRoute, operation: ApiOperation, { tag, problem, schemas }: Parts): Json {
  const { roles } = route;
  const codes = [
    ...(operation.errors ?? []),
    ...(operation.body === undefined ? [] : OF_ANY_BODY),
    ...(roles === undefined ? [] : OF_ANY_KEYED),
    ...OF_ANY,
  ];
  const parameters = [
    ...pathParameters(route, operation),
    ...queryParameters(operation, schemas),
    ...headerParameters(operation),
  ];
  return {
    operationId: route.id,
    tags: [tag],
    summary: operation.summary,
    description: [operation.description, needs(route)].filter((part) => part !== undefined).join('\n\n'),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(operation.body === undefined ? {} : { requestBody: bodyOf(operation.body, schemas) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, answerOf(answer, schemas)]),
      ),
      ...problems(codes, problem),
    },
    security: roles === undefined ? [] : [{ key: [] }],
    ...(roles === undefined ? {} : { 'x-tocsin-roles': roles }),
  };
}

function needs({ roles, scoped }: ServedRoute): string {
  if (roles === undefined) return 'Needs no key.';
  const able = ROLES.filter((role) => roleSatisfies(role, roles));
  // An admin's key has no scope.
  const scope = scoped
    ? ' A key with a scope (`labels`) sees and changes only what carries them.'
    : able.some((role) => role !== 'admin')
      ? ' A key with a scope (`labels`) is refused.'
      : '';
  return `Needs a key with the role ${able.join(' or ')}.${scope}`;
}

function pathParameters({ path }: ServedRoute, operation: ApiOperation): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...operation.path?.[name],
  }));
}

function queryParameters({ query }: ApiOperation, schemas: SchemaSet): Json[] {
  if (query === undefined) return [];
  return Object.entries(query.shape).map(([name, schema]) => {
    const { description, ...rest } = schemas.request(schema as ApiBody['schema']);
    const required = !(schema as ApiBody['schema']).safeParse(undefined).success;
    return {
      name,
      in: 'query',
      ...(required ? { required } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function headerParameters({ headers = {} }: ApiOperation): Json[] {
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
}

function bodyOf(body: ApiBody, schemas: SchemaSet): Json {
  const { contentTypes = ['application/json'], required = true } = body;
  const schema = schemas.request(body.schema);
  // The example belongs to the first; the others are the same in another form.
  const content = contentTypes.map((type, index) => [
    type,
    { schema, ...(index === 0 ? { example: body.example } : {}) },
  ]);
  return { required, content: Object.fromEntries(content) };
}

function answerOf(
  { description, schema, contentType = 'application/json', headers }: ApiAnswer,
  schemas: SchemaSet,
): Json {
  return {
    description,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, says]) => [name, { description: says, schema: { type: 'string' } }]),
          ),
        }),
    ...(schema === undefined ? {} : { content: { [contentType]: { schema: schemas.answer(schema) } } }),
  };
}

function problems(codes: readonly ErrorCode[], problem: Json): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const { http } = ERROR_STATUS[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, listed]) => [
      status,
      {
        description: listed.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: problem } },
      },
    ]),
  );
}
