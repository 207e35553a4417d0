import { createHash } from 'node:crypto';
import type { DestinationOf } from '@tocsin/contracts';
import { type RecordedEvent, webhookId } from '@tocsin/domain';
import type { SendStep } from './event-sender.js';
import { basicAuthorization } from './format/authorization.js';
import { cut, type Notice, noticeOf } from './format/notice.js';
import type { AttemptOutcome, AttemptResponse } from './outcome.js';

/** Jira's search lags behind its writes. A recovery younger than this whose issue is not found waits for it. Milliseconds. */
const SEARCH_LAG_MS = 120_000;
/** A search result carries comments. Bytes. */
const ANSWER_BYTES = 256 * 1024;

interface JiraAttempt {
  destination: DestinationOf<'jira'>;
  event: RecordedEvent;
  nowMs: number;
  step: SendStep;
}

interface FoundIssue {
  key: string;
  done: boolean;
  comments: readonly string[];
}

/**
 * A trouble is an issue: created when it begins, commented and transitioned when it ends. The issue is found again by a label made
 * of the trouble's key, so that a repeated attempt neither creates nor comments twice.
 */
export async function tellJira(attempt: JiraAttempt): Promise<AttemptOutcome> {
  const notice = noticeOf(attempt.event);
  const label = `tocsin-${createHash('sha256').update(keyOf(notice, attempt.event)).digest('hex').slice(0, 20)}`;
  const found = await search(attempt, label);
  if ('failed' in found) return found.failed;
  const { issue, outcome } = found;
  if (notice.action !== 'close') return issue === undefined ? create(attempt, notice, label) : outcome;
  if (issue !== undefined) return close(attempt, notice, issue, outcome);
  // A subscription made during the outage has no issue to close; one whose issue is not in the index yet will have.
  const young = attempt.nowMs - Date.parse(attempt.event.recordedAt) < SEARCH_LAG_MS;
  return young ? { ...outcome, rejected: 'request', bodyHead: 'the issue of this trouble is not found yet' } : outcome;
}

function keyOf(notice: Notice, event: RecordedEvent): string {
  return notice.action === 'none' ? webhookId(event) : notice.dedupKey;
}

type Found = { failed: AttemptOutcome } | { issue: FoundIssue | undefined; outcome: AttemptResponse };

/** Cloud has `search/jql` only, Data Center `search` only. */
async function search(attempt: JiraAttempt, label: string): Promise<Found> {
  const jql = `project = "${attempt.destination.project}" AND labels = "${label}" ORDER BY created DESC`;
  const query = new URLSearchParams({ jql, maxResults: '1', fields: 'status,comment' }).toString();
  let outcome = await call(attempt, 'search', 'GET', `search/jql?${query}`);
  if (outcome.kind === 'response' && (outcome.status === 404 || outcome.status === 405)) {
    outcome = await call(attempt, 'search', 'GET', `search?${query}`);
  }
  if (!succeeded(outcome)) return { failed: outcome };
  const issues = jsonOf(outcome.bodyHead)?.['issues'];
  const short = { ...outcome, bodyHead: cut(outcome.bodyHead, 4_096) };
  // A proxy's login page is a 200 as well; creating issues on the strength of it would create one at each attempt.
  if (!Array.isArray(issues)) return { failed: { ...short, rejected: 'auth' } };
  return { issue: foundIssue(issues[0]), outcome: short };
}

function foundIssue(value: unknown): FoundIssue | undefined {
  const issue = objectOf(value);
  const key = issue['key'];
  if (typeof key !== 'string') return undefined;
  const fields = objectOf(issue['fields']);
  const category = objectOf(objectOf(fields['status'])['statusCategory'])['key'];
  const comments = objectOf(fields['comment'])['comments'];
  const bodies = Array.isArray(comments)
    ? comments.map((comment) => JSON.stringify(objectOf(comment)['body'] ?? ''))
    : [];
  return { key, done: category === 'done', comments: bodies };
}

function create(attempt: JiraAttempt, notice: Notice, label: string): Promise<AttemptOutcome> {
  const { destination, event } = attempt;
  return call(attempt, 'create', 'POST', 'issue', {
    fields: {
      project: { key: destination.project },
      issuetype: { name: destination.issueType },
      // No line breaks in a summary, 255 characters.
      summary: cut(notice.title.replaceAll(/\s+/g, ' '), 255),
      description: cut(`${describe(notice)}\n\nEvent: ${webhookId(event)}`, 30_000),
      labels: ['tocsin', label, ...(destination.labels ?? [])],
    },
  });
}

async function close(
  attempt: JiraAttempt,
  notice: Notice,
  issue: FoundIssue,
  found: AttemptOutcome,
): Promise<AttemptOutcome> {
  const path = `issue/${encodeURIComponent(issue.key)}`;
  const mark = webhookId(attempt.event);
  let outcome = found;
  if (!issue.comments.some((body) => body.includes(mark))) {
    outcome = await call(attempt, 'comment', 'POST', `${path}/comment`, {
      body: cut(`${describe(notice)}\n\nEvent: ${mark}`, 30_000),
    });
    if (!succeeded(outcome)) return outcome;
  }
  if (issue.done) return outcome;
  const listed = await call(attempt, 'transitions', 'GET', `${path}/transitions`);
  if (!succeeded(listed)) return listed;
  const id = transitionOf(listed.bodyHead, attempt.destination.transition);
  if (id === undefined) {
    const wanted = attempt.destination.transition ?? 'into a status of category Done';
    return { ...listed, rejected: 'request', bodyHead: `the issue ${issue.key} has no transition "${wanted}"` };
  }
  return call(attempt, 'transition', 'POST', `${path}/transitions`, { transition: { id } });
}

function transitionOf(body: string, name: string | undefined): string | undefined {
  const transitions = jsonOf(body)?.['transitions'];
  if (!Array.isArray(transitions)) return undefined;
  const fits = (transition: Record<string, unknown>): boolean =>
    name === undefined
      ? objectOf(objectOf(transition['to'])['statusCategory'])['key'] === 'done'
      : String(transition['name']).toLowerCase() === name.toLowerCase();
  const id = transitions.map(objectOf).find(fits)?.['id'];
  return typeof id === 'string' ? id : undefined;
}

function describe(notice: Notice): string {
  const facts = notice.facts.map(({ name, value }) => `${name}: ${value}`).join('\n');
  // {noformat} keeps Jira's markup out of what others wrote.
  const text = [notice.text, facts]
    .filter((part) => part !== '')
    .join('\n\n')
    .replaceAll('{noformat}', '{ noformat }');
  return `${notice.title}\n{noformat}\n${text}\n{noformat}`;
}

function call(
  attempt: JiraAttempt,
  step: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<AttemptOutcome> {
  const { destination } = attempt;
  const base = new URL(destination.url);
  const { auth } = destination;
  return attempt.step(step, {
    method,
    url: new URL(`${base.pathname.replace(/\/*$/, '')}/rest/api/2/${path}`, base).href,
    headers: {
      ...destination.headers,
      authorization: auth.type === 'basic' ? basicAuthorization(auth.username, auth.password) : `Bearer ${auth.token}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    },
    body: body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body), 'utf8'),
    ...(method === 'GET' ? { keepBytes: ANSWER_BYTES } : {}),
  });
}

function succeeded(outcome: AttemptOutcome): outcome is AttemptResponse {
  return outcome.kind === 'response' && outcome.status >= 200 && outcome.status <= 299;
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
