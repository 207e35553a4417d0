import type { Destination, PreviewedRequest } from '@tocsin/contracts';
import type { RecordedEvent } from '@tocsin/domain';
import { USER_AGENT } from './attempt.js';
import { renderMail } from './email.js';
import { renderRequest } from './format/render.js';
import { tellJira } from './jira.js';
import type { AttemptOutcome } from './outcome.js';
import { newSigningSecret } from './sign.js';

/** A body is shown up to here, characters: answers travel over the broker. */
const BODY_CHARS = 65_536;
/** How a URL ends whose rest is secret, and what becomes of that in a parsed one. */
const HIDDEN_REST = '…';

/** Requests that would tell a destination of an event, and in what the real ones would be different. */
export interface RequestPreview {
  requests: PreviewedRequest[];
  notes: string[];
}

/**
 * Renders as an attempt does, and sends nothing. It needs no secrets: what they would be made into is made with others.
 * @param destination as it is shown, redacted
 */
export async function previewRequests(
  destination: Destination,
  event: RecordedEvent,
  nowMs: number,
): Promise<RequestPreview> {
  if (destination.kind === 'jira') return previewJira({ destination, event, nowMs });
  if (destination.kind === 'email') {
    const mail = renderMail(event, destination.from);
    const { text, subject, messageId, references, headers } = mail;
    const lines = {
      from: destination.from,
      to: destination.to.join(', '),
      subject,
      'message-id': messageId,
      references,
    };
    return {
      requests: [shown({ method: 'SMTP', url: destination.url, headers: { ...lines, ...headers }, body: text })],
      notes: [],
    };
  }
  const rendered = renderRequest({ destination, event, secrets: [newSigningSecret()], nowMs });
  const { url, body } = rendered;
  const oauth2 = 'auth' in destination && destination.auth?.type === 'oauth2' ? destination.auth : undefined;
  const headers = {
    host: URL.parse(url)?.host ?? '',
    'user-agent': USER_AGENT,
    ...rendered.headers,
    ...(oauth2 === undefined ? {} : { authorization: 'Bearer' }),
    'content-length': String(body.length),
  };
  const secret = 'secret' in destination && destination.secret !== undefined;
  return {
    requests: [shown({ method: 'POST', url, headers, body: body.toString('utf8') })],
    notes: [
      ...('webhook-signature' in headers
        ? ['webhook-signature is one of its kind, made with a secret that nobody has: it does not verify']
        : []),
      ...(secret ? ["the robot's signature is made with another secret than the subscription's"] : []),
      ...(oauth2 === undefined ? [] : [`an OAuth2 token is asked for first, at ${oauth2.tokenUrl}`]),
    ],
  };
}

/** What Jira is asked depends on what it answers: here it knows of no issue. */
async function previewJira(told: Omit<Parameters<typeof tellJira>[0], 'step'>): Promise<RequestPreview> {
  const requests: PreviewedRequest[] = [];
  await tellJira({
    ...told,
    step: async (_name, { method = 'POST', url, headers, body }) => {
      requests.push(
        shown({ method, url, headers: { 'user-agent': USER_AGENT, ...headers }, body: body.toString('utf8') }),
      );
      return ANSWERED;
    },
  });
  return { requests, notes: ['no issue of this trouble is assumed to be there; one that is would be commented'] };
}

const ANSWERED: AttemptOutcome = {
  kind: 'response',
  status: 200,
  headers: {},
  bodyComplete: true,
  phasesMs: { total: 0 },
  reused: false,
  requestBytes: 0,
  responseBytes: 0,
  bodyHead: '{"issues":[]}',
};

function shown(request: {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}): PreviewedRequest {
  const { method, url, headers, body } = request;
  return {
    method,
    url: url.replaceAll(encodeURIComponent(HIDDEN_REST), HIDDEN_REST),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        name === 'authorization' ? value.replace(/^(\S+).*$/s, '$1 ***') : value,
      ]),
    ),
    body: body.slice(0, BODY_CHARS),
    bodyBytes: Buffer.byteLength(body),
  };
}
