import spectralCore from '@stoplight/spectral-core';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { ApiDocument, createLogger, type Role, ROLES, roleSatisfies, type ServedRoute } from '@tocsin/platform';
import { testFolder } from '@tocsin/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standaloneConfig } from './standalone-config.js';
import { type Standalone, startStandalone } from './standalone.js';

/**
 * Who may call what: the least role, or `public`. It stands here a second time on purpose: a route that is not in it, or a mark at a route
 * that says otherwise, fails.
 */
const ACCESS: Readonly<Record<string, Role | 'public'>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'public',
  'GET /openapi.json': 'public',
  'GET /docs': 'public',
  'GET /docs/{file}': 'public',
  'GET /v1/targets': 'viewer',
  'GET /v1/targets/{name}': 'viewer',
  'PUT /v1/targets/{name}': 'editor',
  'PATCH /v1/targets/{name}': 'editor',
  'DELETE /v1/targets/{name}': 'editor',
  'POST /v1/targets/{name}/rotate-token': 'editor',
  // The token in the path is the key, and a secret of its target alone.
  'POST /v1/heartbeats/{token}': 'public',
  'GET /v1/subscriptions': 'viewer',
  'GET /v1/subscriptions/{name}': 'viewer',
  'PUT /v1/subscriptions/{name}': 'editor',
  'PATCH /v1/subscriptions/{name}': 'editor',
  'DELETE /v1/subscriptions/{name}': 'editor',
  'POST /v1/subscriptions/{name}/rotate-secret': 'editor',
  'POST /v1/subscriptions/{name}/pause': 'editor',
  'POST /v1/subscriptions/{name}/resume': 'editor',
  'POST /v1/subscriptions/{name}/replay': 'editor',
  'POST /v1/subscriptions/{name}/preview': 'viewer',
  'POST /v1/subscriptions/{name}/test': 'editor',
  'GET /v1/maintenance': 'viewer',
  'GET /v1/maintenance/{name}': 'viewer',
  'PUT /v1/maintenance/{name}': 'editor',
  'DELETE /v1/maintenance/{name}': 'editor',
  'GET /v1/keys': 'admin',
  'GET /v1/keys/{name}': 'admin',
  'PUT /v1/keys/{name}': 'admin',
  'DELETE /v1/keys/{name}': 'admin',
  'POST /v1/apply': 'editor',
  'POST /v1/registry/rebuild': 'admin',
  'POST /v1/events': 'producer',
  'GET /v1/events': 'viewer',
  'GET /v1/events/stream': 'viewer',
  'GET /v1/events/{key}': 'viewer',
  'GET /v1/log/verify': 'admin',
  'GET /v1/fleet': 'viewer',
  'GET /v1/withheld': 'viewer',
  'GET /v1/noise': 'viewer',
  'GET /v1/promises': 'admin',
  'GET /v1/explain': 'viewer',
  'GET /v1/explain/{event}': 'viewer',
  'GET /v1/deliveries': 'viewer',
  'GET /v1/deliveries/parked': 'viewer',
  'GET /v1/deliveries/verify': 'admin',
  'GET /v1/deliveries/{id}': 'viewer',
  'POST /v1/deliveries/retry': 'editor',
  'POST /v1/deliveries/{id}/retry': 'editor',
};

/** Rules that don't hold here: `identifier` takes the place of a license's `url` in 3.1, and there is nobody to write to. */
const OF_TASTE = { 'license-url': 'off', 'contact-properties': 'off' } as const;

/** Their examples name a delivery that only exists where something was sent, or a heartbeat whose token is made up. */
const MAY_BE_MISSING = new Set([
  'GET /v1/deliveries/{id}',
  'POST /v1/deliveries/{id}/retry',
  'POST /v1/targets/{name}/rotate-token',
  'POST /v1/heartbeats/{token}',
]);

interface Content {
  readonly schema: object;
  readonly example?: unknown;
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly example?: string;
  readonly schema?: { readonly examples?: readonly string[] };
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Record<string, Content> };
  readonly responses: Record<string, { readonly content?: Record<string, Content> }>;
}

let standalone: Standalone;
let routes: ServedRoute[];
let document: { paths: Record<string, Record<string, Operation>>; components: object };

beforeAll(async () => {
  standalone = await startStandalone({
    config: standaloneConfig.parse({
      TOCSIN_DATA_DIR: await testFolder(),
      TOCSIN_HTTP_PORT: '0',
      TOCSIN_GRPC_PORT: '0',
    }),
    logger: createLogger({ name: 'spec', level: 'silent', format: 'json' }),
    say: () => undefined,
  });
  routes = standalone.app.get(ApiDocument, { strict: false }).routes();
  document = (await (await fetch(`${standalone.url}/openapi.json`)).json()) as typeof document;
}, 180_000);

afterAll(async () => {
  await standalone?.stop();
});

const keyOf = ({ method, path }: Pick<ServedRoute, 'method' | 'path'>) => `${method} ${path}`;

async function call(method: string, path: string, key: string | undefined, body?: { type: string; value: unknown }) {
  const gone = new AbortController();
  const response = await fetch(`${standalone.url}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': body.type }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body.value) }),
    signal: gone.signal,
  });
  const type = (response.headers.get('content-type') ?? '').replace(/;.*/, '');
  const endless = type === 'text/event-stream';
  const text = endless ? '' : await response.text();
  if (endless) gone.abort();
  return { status: response.status, type, body: /[/+]json$/.test(type) ? (JSON.parse(text) as unknown) : text };
}

describe('the routes', () => {
  it('that are described and marked are those that the server has', () => {
    const server = standalone.app.getHttpAdapter().getInstance() as {
      router: { stack: { route?: { path: string; methods: Record<string, boolean> } }[] };
    };
    const served = server.router.stack.flatMap(({ route }) =>
      route === undefined
        ? []
        : Object.keys(route.methods).map(
            (method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`,
          ),
    );
    expect(routes.map(keyOf).toSorted()).toEqual(served.toSorted());
    expect(Object.keys(ACCESS).toSorted()).toEqual(served.toSorted());
  });

  it('are marked as the table says', () => {
    const marked = routes.map((route): [string, Role | 'public'] => [keyOf(route), route.roles?.[0] ?? 'public']);
    expect(Object.fromEntries(marked)).toEqual(ACCESS);
    expect(routes.filter(({ declared }) => !declared).map(keyOf)).toEqual([]);
  });
});

describe('access', () => {
  const keys = new Map<Role, string>();

  beforeAll(async () => {
    for (const role of ROLES) {
      const value = { role, rate: { perSecond: 100_000 } };
      const made = await call('PUT', `/v1/keys/of-${role}`, standalone.apiKey, { type: 'application/json', value });
      keys.set(role, (made.body as { key: string }).key);
    }
  });

  it.each(Object.entries(ACCESS))('to %s: %s', async (route, least) => {
    const [method = '', template = ''] = route.split(' ');
    // Names that nothing has: whoever is let in changes nothing.
    const path = template.replace('{file}', 'start.js').replace(/\{\w+\}/g, 'nothing-has-this-name');
    const refused = async (key: string | undefined) => {
      const { status } = await call(method, path, key);
      return status === 401 || status === 403 ? status : 'let in';
    };
    const outcomes: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    for (const role of ROLES) {
      outcomes[role] = await refused(keys.get(role));
      expected[role] = least === 'public' || roleSatisfies(role, [least]) ? 'let in' : 403;
    }
    for (const [who, key] of [
      ['nobody', undefined],
      ['a stranger', `tcn_${'a'.repeat(16)}_${'b'.repeat(43)}`],
    ] as const) {
      outcomes[who] = await refused(key);
      expected[who] = least === 'public' ? 'let in' : 401;
    }
    expect(outcomes).toEqual(expected);
  });
});

describe('the OpenAPI document', () => {
  it('has every route, and no other', () => {
    const { undescribed, stale } = standalone.app.get(ApiDocument, { strict: false }).describe();
    expect({ undescribed, stale }).toEqual({ undescribed: [], stale: [] });
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(routes.map(keyOf).toSorted());
  });

  it('passes every rule of Spectral for OpenAPI', async () => {
    const spectral = new spectralCore.Spectral();
    spectral.setRuleset({ extends: [[spectralRulesets.oas as never, 'all']], rules: OF_TASTE });
    const found = await spectral.run(structuredClone(document) as never);
    expect(found.map(({ code, path, message }) => `${String(code)} ${path.join('/')}: ${message}`)).toEqual([]);
  });

  it('is shown by a page that loads nothing from elsewhere', async () => {
    const page = await call('GET', '/docs', undefined);
    expect([page.status, page.type]).toEqual([200, 'text/html']);
    const loaded = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address);
    expect(loaded).toEqual(['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/docs/start.js']);
    for (const address of loaded) expect((await call('GET', address, undefined)).status).toBe(200);
    expect((await call('GET', '/docs/package.json', undefined)).status).toBe(404);
  });

  it('has examples that work, and answers that are what it says', async () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const rank = (method: string) => ['put', 'post', 'patch', 'get', 'delete'].indexOf(method);
    const operations = Object.entries(document.paths)
      .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
      .toSorted((one, other) => rank(one.method) - rank(other.method));
    const wrong: string[] = [];
    for (const { path, method, operation } of operations) {
      const parameters = new Map(operation.parameters?.map(({ name, example }) => [name, example]));
      const asked = operation.parameters?.filter(({ in: place, required }) => place === 'query' && required === true);
      const query = asked?.map(({ name, schema }) => `${name}=${encodeURIComponent(String(schema?.examples?.[0]))}`);
      const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => String(parameters.get(name)));
      const real = query === undefined || query.length === 0 ? filled : `${filled}?${query.join('&')}`;
      const [content] = Object.entries(operation.requestBody?.content ?? {});
      const body = content === undefined ? undefined : { type: content[0], value: content[1].example };
      const answer = await call(method.toUpperCase(), real, standalone.apiKey, body);
      const where = `${method.toUpperCase()} ${path}`;
      if (answer.status >= 300 && !(answer.status === 404 && MAY_BE_MISSING.has(where))) {
        wrong.push(`${where}: ${answer.status} ${JSON.stringify(answer.body)}`);
        continue;
      }
      const promised = operation.responses[String(answer.status)];
      if (promised === undefined) {
        wrong.push(`${where}: ${answer.status} is not described`);
        continue;
      }
      const [described] = Object.entries(promised.content ?? {});
      if ((described?.[0] ?? '') !== answer.type) {
        wrong.push(`${where}: answers with ${answer.type}, not ${described?.[0]}`);
      } else if (described !== undefined) {
        const valid = ajv.compile({ ...described[1].schema, components: document.components });
        if (!valid(answer.body)) wrong.push(`${where}: ${ajv.errorsText(valid.errors)}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
