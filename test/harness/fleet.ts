import { eventually, type ReceivedRequest } from '@tocsin/testing';
import type { Installation } from './installation.js';

/** A check that decides within seconds. */
export const QUICK = { type: 'http', interval: '1s', fastInterval: '200ms', timeout: '1s' };

/** Declares a target with an HTTP check. */
export async function watch(installation: Installation, name: string, url: string, check: object = {}): Promise<void> {
  const { status, body } = await installation.call('PUT', `/v1/targets/${name}`, {
    kind: 'node',
    check: { ...QUICK, url, ...check },
  });
  if (status !== 201) throw new Error(`target ${name}: ${status} ${JSON.stringify(body)}`);
}

/** Subscribes a receiver to what becomes of nodes, and returns the signing secret. */
export async function subscribe(
  installation: Installation,
  name: string,
  url: string,
  types = ['io.tocsin.node.offline', 'io.tocsin.node.online'],
): Promise<string> {
  const { status, body } = await installation.call('PUT', `/v1/subscriptions/${name}`, {
    types,
    destination: { kind: 'webhook', url },
  });
  if (status !== 201) throw new Error(`subscription ${name}: ${status} ${JSON.stringify(body)}`);
  return body.secret as string;
}

/** Waits until a target is in a state. */
export async function inState(
  installation: Installation,
  name: string,
  state: string,
  timeoutMs = 20_000,
): Promise<void> {
  await eventually(
    async () => {
      const { body } = await installation.call('GET', `/v1/targets/${name}`);
      return body.state === state;
    },
    { what: `${name} is ${state}`, timeoutMs },
  );
}

/** What a receiver got, as `type subject`, in the order in which it came. */
export function told(requests: readonly ReceivedRequest[]): string[] {
  return requests.map((request) => {
    const event = request.json as { type: string; subject: string };
    return `${event.type.replace('io.tocsin.node.', '')} ${event.subject}`;
  });
}

/** A target as `POST /v1/apply` takes it. */
export interface DeclaredNode {
  name: string;
  url: string;
  labels?: Record<string, string>;
  parent?: string;
  check?: object;
}

/** Declares many nodes at once. */
export async function watchAll(installation: Installation, nodes: readonly DeclaredNode[]): Promise<void> {
  const targets = nodes.map(({ name, url, labels = {}, parent, check }) => ({
    ...{ name, kind: 'node', labels },
    ...(parent === undefined ? {} : { parent }),
    check: { ...QUICK, url, ...check },
  }));
  const { status, body } = await installation.call('POST', '/v1/apply', { targets });
  if (status !== 200) throw new Error(`apply: ${status} ${JSON.stringify(body)}`);
}

/** Waits until each of these targets was seen for the first time, and is up. */
export async function allUp(installation: Installation, size: number, timeoutMs = 90_000): Promise<void> {
  await eventually(async () => (await installation.events('&type=io.tocsin.target.fresh')).length >= size, {
    what: `${size} targets are up`,
    timeoutMs,
    intervalMs: 500,
  });
}
