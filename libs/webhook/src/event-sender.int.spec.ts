import { type Destination, destinationSchema } from '@tocsin/contracts';
import { classifyOutcome, type RecordedEvent } from '@tocsin/domain';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import { EventSender } from './event-sender.js';
import type { AttemptOutcome } from './outcome.js';
import { Sender } from './sender.js';
import { newSigningSecret } from './sign.js';
import { downEvent, upEvent } from './events.harness.js';
import { type HttpService, httpService } from './http-service.harness.js';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function service(answer: Parameters<typeof httpService>[0]): Promise<HttpService> {
  const made = await httpService(answer);
  cleanup.push(() => made.close());
  return made;
}
/** A clock whose time the test moves. */
function clockAt(nowMs: number) {
  const clock = { nowMs, now: () => clock.nowMs, monotonicMs: () => clock.nowMs };
  return clock;
}
function eventSender(clock?: { now(): number; monotonicMs(): number }): EventSender {
  const sender = new Sender({ egress: EgressPolicy.parse('loopback') });
  cleanup.push(() => sender.close());
  return new EventSender({ sender, ...(clock === undefined ? {} : { clock }) });
}
const secrets = [newSigningSecret()];
const tell = (from: EventSender, destination: unknown, event: RecordedEvent = downEvent): Promise<AttemptOutcome> =>
  from.send({ destination: destinationSchema.parse(destination) satisfies Destination, event, secrets });

describe('webhook', () => {
  it('arrives signed, and the signature fits what arrived', async () => {
    const receiver = await service(() => ({ status: 204 }));
    expect(await tell(eventSender(), { kind: 'webhook', url: `${receiver.url}/in` })).toMatchObject({ status: 204 });
    const { text, headers } = receiver.requests[0]!;
    expect(new Webhook(secrets[0]!).verify(text, headers as Record<string, string>)).toMatchObject({
      id: downEvent.id,
    });
  });
});

describe('OAuth2 client credentials', () => {
  async function protectedService(expiresIn: number | undefined = 3_600) {
    let issued = 0;
    const valid = new Set<string>();
    const identity = await service(() => {
      const token = `token-${++issued}`;
      valid.add(token);
      return { status: 200, json: { access_token: token, token_type: 'Bearer', expires_in: expiresIn } };
    });
    const receiver = await service(({ headers }) => ({
      status: valid.has(String(headers.authorization).replace('Bearer ', '')) ? 200 : 401,
    }));
    const destination = {
      kind: 'webhook',
      url: receiver.url,
      auth: { type: 'oauth2', tokenUrl: `${identity.url}/token`, clientId: 'me', clientSecret: 's&t', scope: 'hooks' },
    };
    return { identity, receiver, valid, destination };
  }

  it('fetches a token once and uses it for every attempt', async () => {
    const { identity, receiver, destination } = await protectedService();
    const from = eventSender();
    for (let round = 0; round < 3; round++) expect(await tell(from, destination)).toMatchObject({ status: 200 });
    expect(identity.requests).toHaveLength(1);
    const [asked] = identity.requests;
    expect(asked!.headers.authorization).toBe(`Basic ${Buffer.from('me:s%26t').toString('base64')}`);
    expect(asked!.text).toBe('grant_type=client_credentials&scope=hooks');
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill('Bearer token-1'));
  });

  it('asks once for several attempts at the same time', async () => {
    const { identity, destination } = await protectedService();
    const from = eventSender();
    await Promise.all(Array.from({ length: 5 }, () => tell(from, destination)));
    expect(identity.requests).toHaveLength(1);
  });

  it('replaces a token that is refused, once, within the attempt', async () => {
    const { identity, receiver, valid, destination } = await protectedService();
    const from = eventSender();
    await tell(from, destination);
    valid.clear();
    expect(await tell(from, destination)).toMatchObject({ status: 200 });
    expect(identity.requests).toHaveLength(2);
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
    ]);
  });

  it('does not go round in circles with a receiver that refuses everything', async () => {
    const { identity, destination } = await protectedService();
    const refusing = await service(() => ({ status: 401 }));
    const from = eventSender();
    const stubborn = { ...destination, url: refusing.url };
    expect(classifyOutcome(await tell(from, stubborn))).toBe('auth');
    expect([identity.requests.length, refusing.requests.length]).toEqual([1, 1]);
  });

  it('fetches a new one before the old one expires', async () => {
    const { identity, destination } = await protectedService(600);
    const clock = clockAt(1_700_000_000_000);
    const from = eventSender(clock);
    await tell(from, destination);
    clock.nowMs += 500_000;
    await tell(from, destination);
    expect(identity.requests).toHaveLength(1);
    clock.nowMs += 50_000;
    await tell(from, destination);
    expect(identity.requests).toHaveLength(2);
  });

  it('tells a refusal of the authorization server from one of the receiver, and keeps no token in the record', async () => {
    const { receiver, destination } = await protectedService();
    const refusing = await service(() => ({ status: 401, json: { error: 'invalid_client' } }));
    const odd = await service(() => ({ status: 200, json: { access_token: 'S3CRET', token_type: 'mac' } }));
    const at = (url: string) => ({ ...destination, auth: { ...destination.auth, tokenUrl: url } });
    const refused = await tell(eventSender(), at(refusing.url));
    expect(refused).toMatchObject({ step: 'token', status: 401, bodyHead: '{"error":"invalid_client"}' });
    expect(classifyOutcome(refused)).toBe('auth');
    const unusable = await tell(eventSender(), at(odd.url));
    expect(unusable).toMatchObject({ step: 'token', rejected: 'auth' });
    expect(JSON.stringify(unusable)).not.toContain('S3CRET');
    expect(receiver.requests).toHaveLength(0);
  });

  it('goes to no authorization server that the policy forbids', async () => {
    const { receiver, destination } = await protectedService();
    const hidden = { ...destination, auth: { ...destination.auth, tokenUrl: 'http://169.254.169.254/token' } };
    expect(await tell(eventSender(), hidden)).toMatchObject({ step: 'token', errorClass: 'egress-blocked' });
    expect(receiver.requests).toHaveLength(0);
  });
});

describe('vendors that answer 200 to everything', () => {
  it.each([
    ['dingtalk', { errcode: 0, errmsg: 'ok' }, 'success'],
    ['dingtalk', { errcode: 310_000, errmsg: 'sign not match' }, 'auth'],
    ['dingtalk', { errcode: 130_101, errmsg: 'send too fast' }, 'retry'],
    ['dingtalk', { errcode: 400_105, errmsg: 'unsupported msgtype' }, 'retry-limited'],
    ['feishu', { code: 0, msg: 'success', data: {} }, 'success'],
    ['feishu', { StatusCode: 0, StatusMessage: 'success' }, 'success'],
    ['feishu', { code: 19_021, msg: 'sign match fail' }, 'auth'],
    ['feishu', { code: 11_232, msg: 'frequency limited' }, 'retry'],
    ['feishu', { code: 19_002, msg: 'params error' }, 'retry-limited'],
    ['slack', { code: 1, errcode: 1 }, 'success'],
    ['dingtalk', 'not what is expected', 'success'],
  ])('%s %j means %s', async (kind, json, verdict) => {
    const vendor = await service(() => ({ status: 200, json }));
    expect(classifyOutcome(await tell(eventSender(), { kind, url: vendor.url }))).toBe(verdict);
  });
});

describe('jira', () => {
  /** As much of Jira as an outage needs. `cloud`: the old search is gone; else the new one does not exist. */
  async function jira(cloud: boolean) {
    const issues: { key: string; fields: Record<string, unknown>; comments: string[]; done: boolean }[] = [];
    const found = (query: URLSearchParams) => {
      const label = /labels = "([^"]+)"/.exec(query.get('jql') ?? '')?.[1] ?? '';
      return issues
        .filter(({ fields }) => (fields['labels'] as string[]).includes(label))
        .map(({ key, comments, done }) => ({
          key,
          fields: {
            status: { statusCategory: { key: done ? 'done' : 'new' } },
            comment: { comments: comments.map((body) => ({ body })) },
          },
        }));
    };
    const server = await service(({ method, path, query, text }) => {
      const rest = path.replace('/jira/rest/api/2/', '');
      if (rest === (cloud ? 'search/jql' : 'search')) return { status: 200, json: { issues: found(query) } };
      if (rest.startsWith('search')) return { status: cloud ? 410 : 404, json: {} };
      if (rest === 'issue') {
        issues.push({ key: `OPS-${issues.length + 1}`, fields: JSON.parse(text).fields, comments: [], done: false });
        return { status: 201, json: { key: issues.at(-1)!.key } };
      }
      const issue = issues.find(({ key }) => rest.startsWith(`issue/${key}/`));
      if (issue === undefined) return { status: 404 };
      if (rest.endsWith('/comment')) {
        issue.comments.push(JSON.parse(text).body);
        return { status: 201, json: {} };
      }
      if (method === 'GET') {
        const transitions = [
          { id: '11', name: 'Start', to: { statusCategory: { key: 'indeterminate' } } },
          { id: '31', name: 'Resolve', to: { statusCategory: { key: 'done' } } },
        ];
        return { status: 200, json: { transitions } };
      }
      issue.done = JSON.parse(text).transition.id === '31';
      return { status: 204 };
    });
    const destination = {
      kind: 'jira',
      url: `${server.url}/jira/`,
      auth: { type: 'basic', username: 'tocsin@example.net', password: 'api-token' },
      project: 'OPS',
      labels: ['edge'],
    };
    return { issues, server, destination };
  }

  it.each([true, false])('creates on down, comments and closes on up (Cloud: %s)', async (cloud) => {
    const { issues, server, destination } = await jira(cloud);
    const from = eventSender();
    expect(await tell(from, destination, downEvent)).toMatchObject({ status: 201, step: 'create' });
    expect(issues[0]!.fields).toMatchObject({
      project: { key: 'OPS' },
      issuetype: { name: 'Task' },
      summary: 'DOWN node edge-fra-17',
      labels: ['tocsin', expect.stringMatching(/^tocsin-[0-9a-f]{20}$/), 'edge'],
    });
    expect(String(issues[0]!.fields['description'])).toContain('connection refused at 10.0.0.7:443 <tcp>');
    expect(await tell(from, destination, upEvent)).toMatchObject({ status: 204, step: 'transition' });
    expect(issues).toHaveLength(1);
    expect(issues[0]!.done).toBe(true);
    expect(issues[0]!.comments[0]).toContain('UP node edge-fra-17 after 12m 5s');
    const expected = `Basic ${Buffer.from('tocsin@example.net:api-token').toString('base64')}`;
    expect(new Set(server.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([expected]));
  });

  it('does nothing twice when an attempt is repeated', async () => {
    const { issues, destination } = await jira(true);
    const from = eventSender();
    for (const event of [downEvent, downEvent, upEvent, upEvent]) {
      expect(classifyOutcome(await tell(from, destination, event))).toBe('success');
    }
    expect(issues.map(({ comments, done }) => [comments.length, done])).toEqual([[1, true]]);
  });

  it('waits for an issue that the search does not show yet, and not for one that never was', async () => {
    const { destination } = await jira(true);
    const recordedMs = Date.parse(upEvent.recordedAt);
    expect(classifyOutcome(await tell(eventSender(clockAt(recordedMs + 5_000)), destination, upEvent))).toBe(
      'retry-limited',
    );
    expect(classifyOutcome(await tell(eventSender(clockAt(recordedMs + 200_000)), destination, upEvent))).toBe(
      'success',
    );
  });

  it('says which step failed, and names a transition that does not exist', async () => {
    const { destination } = await jira(true);
    const from = eventSender();
    await tell(from, destination, downEvent);
    const outcome = await tell(from, { ...destination, transition: 'Vanish' }, upEvent);
    expect(outcome).toMatchObject({
      step: 'transitions',
      rejected: 'request',
      bodyHead: expect.stringContaining('Vanish'),
    });
    const refusing = await service(() => ({ status: 403 }));
    expect(await tell(from, { ...destination, url: refusing.url })).toMatchObject({ step: 'search', status: 403 });
    expect(refusing.requests).toHaveLength(1);
  });

  it('creates nothing on the word of a page that is no search result', async () => {
    const login = await service(() => ({ status: 200, json: '<html>log in</html>' }));
    const { destination } = await jira(true);
    expect(classifyOutcome(await tell(eventSender(), { ...destination, url: login.url }))).toBe('auth');
    expect(login.requests).toHaveLength(1);
  });
});

describe('deadline', () => {
  it('covers all requests of an attempt together', async () => {
    const slow = await service(async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return { status: 200, json: { access_token: 't', token_type: 'bearer' } };
    });
    const hanging = await service(() => new Promise(() => undefined));
    const auth = { type: 'oauth2', tokenUrl: slow.url, clientId: 'a', clientSecret: 'b' };
    const destination = destinationSchema.parse({ kind: 'webhook', url: hanging.url, auth });
    const outcome = await eventSender().send({ destination, event: downEvent, secrets, deadlineMs: 600 });
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout', phase: 'ttfb' });
    expect(hanging.requests).toHaveLength(1);
    // Each request with a deadline of its own would end after 1,000 ms.
    expect(outcome.phasesMs.total).toBeGreaterThanOrEqual(590);
    expect(outcome.phasesMs.total).toBeLessThan(900);
  });
});
