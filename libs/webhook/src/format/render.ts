import type { Destination, DestinationOf } from '@tocsin/contracts';
import { type RecordedEvent, TocsinError } from '@tocsin/domain';
import { alertmanagerBody, alertmanagerUrl } from './alertmanager.js';
import { basicAuthorization, splitCredentials } from './authorization.js';
import { dingtalkBody, dingtalkUrl } from './dingtalk.js';
import { discordBody } from './discord.js';
import { feishuBody } from './feishu.js';
import { noticeOf } from './notice.js';
import { opsgenieRequest } from './opsgenie.js';
import { pagerdutyBody } from './pagerduty.js';
import { slackBody } from './slack.js';
import { teamsBody } from './teams.js';
import { renderWebhook } from './webhook.js';

/** What a request is made of. */
export interface RenderInput<D extends Destination = Destination> {
  /** With its secrets in place. */
  destination: D;
  event: RecordedEvent;
  /** Signing secrets in use now, newest first; formats that are not signed ignore them. */
  secrets: readonly string[];
  /** Epoch milliseconds of this attempt. */
  nowMs: number;
}

/** A request ready to be sent; the signature in its headers covers the very bytes of `body`. Header names are lower case. */
export interface RenderedRequest {
  url: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** Kinds that are told by one HTTP request. */
export type OneRequestKind = Exclude<Destination['kind'], 'jira' | 'email'>;

/**
 * The request that tells a destination of an event. Render anew for each attempt: signatures carry the time. An OAuth2 token is not
 * in it; {@link import('../event-sender.js').EventSender} adds one.
 * @throws TocsinError `TCN_INVALID` where a signed format has no usable secret, or the kind takes more than one request
 */
export function renderRequest(input: RenderInput): RenderedRequest {
  const { destination, authorization } = prepared(input.destination);
  const rendered = renderKind({ ...input, destination });
  return authorization === undefined ? rendered : { ...rendered, headers: { authorization, ...rendered.headers } };
}

interface Prepared {
  destination: Destination;
  authorization: string | undefined;
}

/** What is the same for every event, as long as anybody holds the destination. */
const PREPARED = new WeakMap<Destination, Prepared>();

function prepared(destination: Destination): Prepared {
  const known = PREPARED.get(destination);
  if (known !== undefined) return known;
  const { url, authorization = staticAuthorization(destination) } = splitCredentials(destination.url);
  const made = { destination: { ...destination, url, headers: lowerCased(destination.headers) }, authorization };
  PREPARED.set(destination, made);
  return made;
}

function renderKind(input: RenderInput): RenderedRequest {
  const { destination, event, nowMs } = input;
  if (destination.kind === 'webhook') return renderWebhook({ ...input, destination });
  const notice = noticeOf(event);
  switch (destination.kind) {
    case 'slack':
      return jsonRequest(destination, slackBody(notice));
    case 'discord':
      return jsonRequest(destination, discordBody(notice));
    case 'teams':
      return jsonRequest(destination, teamsBody(notice));
    case 'dingtalk':
      return {
        ...jsonRequest(destination, dingtalkBody(notice)),
        url: dingtalkUrl(destination.url, destination.secret, nowMs),
      };
    case 'feishu':
      return jsonRequest(destination, feishuBody(notice, destination.secret, Math.floor(nowMs / 1_000)));
    case 'pagerduty':
      return jsonRequest(destination, pagerdutyBody(notice, event, destination.routingKey));
    case 'opsgenie':
      return opsgenie(destination, input);
    case 'alertmanager':
      return { ...jsonRequest(destination, alertmanagerBody(notice, event)), url: alertmanagerUrl(destination.url) };
    case 'jira':
    case 'email':
      throw new TocsinError('TCN_INVALID', `a destination of kind ${destination.kind} takes more than one request`);
  }
}

function opsgenie(destination: DestinationOf<'opsgenie'>, { event }: RenderInput): RenderedRequest {
  const { url, authorization, body } = opsgenieRequest(destination, noticeOf(event), event);
  const request = jsonRequest(destination, body);
  return { ...request, url, headers: { ...request.headers, authorization } };
}

function jsonRequest(destination: Destination, body: object): RenderedRequest {
  return {
    url: destination.url,
    headers: { ...destination.headers, 'content-type': 'application/json; charset=utf-8' },
    body: Buffer.from(JSON.stringify(body), 'utf8'),
  };
}

function staticAuthorization(destination: Destination): string | undefined {
  const auth = 'auth' in destination ? destination.auth : undefined;
  if (auth?.type === 'basic') return basicAuthorization(auth.username, auth.password);
  return auth?.type === 'bearer' ? `Bearer ${auth.token}` : undefined;
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
