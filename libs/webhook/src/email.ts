import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { DestinationOf } from '@tocsin/contracts';
import { type RecordedEvent, type Rejection, webhookId } from '@tocsin/domain';
import { createTransport } from 'nodemailer';
import { judgeAddress } from './address-class.js';
import type { Answer } from './attempt.js';
import { hostOf, portOf } from './egress.js';
import { decoded } from './format/authorization.js';
import { cut, noticeOf } from './format/notice.js';
import { AttemptFailure, type AttemptOutcome, failureOf } from './outcome.js';
import type { Sender } from './sender.js';

/** One mail of an event. */
export interface MailRequest {
  destination: DestinationOf<'email'>;
  event: RecordedEvent;
  deadlineMs: number;
  signal: AbortSignal | undefined;
}

/** A mail as it is handed to the server: plain text, nothing in it that a mail program would fetch. */
export interface RenderedMail {
  subject: string;
  text: string;
  messageId: string;
  /** The mails of one trouble form a thread. */
  references: string;
  headers: Record<string, string>;
}

/** The words of a mail. Ids stay the same over retries, so that programs that sort out repeats can. */
export function renderMail(event: RecordedEvent, from: string): RenderedMail {
  const notice = noticeOf(event);
  const domain = from.slice(from.lastIndexOf('@') + 1);
  const thread = createHash('sha256').update(notice.dedupKey).digest('hex').slice(0, 32);
  const facts = notice.facts.map(({ name, value }) => `${name}: ${value}`);
  return {
    subject: cut(notice.title.replaceAll(/\s+/g, ' '), 200),
    text: `${[notice.title, notice.text, facts.join('\n'), `Event: ${webhookId(event)}`].filter((part) => part !== '').join('\n\n')}\n`,
    messageId: `<${webhookId(event)}@${domain}>`,
    references: `<${thread}@${domain}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Tocsin-Event': webhookId(event), 'X-Tocsin-Type': event.type },
  };
}

/** Hands one mail to a submission server. TLS is required except towards loopback. */
export function sendMail(sender: Sender, request: MailRequest): Promise<AttemptOutcome> {
  const { destination, event, deadlineMs, signal } = request;
  const mail = renderMail(event, destination.from);
  const url = new URL(destination.url);
  const body = Buffer.from(mail.text, 'utf8');
  const conversation = { url: destination.url, body, deadlineMs, ...(signal === undefined ? {} : { signal }) };
  return sender.converse(conversation, async ({ socket, secureContext }, stop) => {
    const host = hostOf(url);
    const loopback = judgeAddress(socket.remoteAddress ?? '').class === 'loopback';
    const transport = createTransport({
      host,
      port: portOf(url),
      secure: url.protocol === 'smtps:',
      secured: url.protocol === 'smtps:',
      requireTLS: url.protocol === 'smtp:' && !loopback,
      ignoreTLS: url.protocol === 'smtp:' && loopback,
      tls: { secureContext, ...(isIP(host) === 0 ? { servername: host } : {}) },
      ...(url.username === '' ? {} : { auth: { user: decoded(url.username), pass: decoded(url.password) } }),
      // The library's own timers are idle timers; the attempt's deadline ends it first.
      greetingTimeout: deadlineMs,
      socketTimeout: deadlineMs,
      socketCloseTimeout: 0,
      maxResponseSize: 16_384,
      disableFileAccess: true,
      disableUrlAccess: true,
      getSocket: (_options, callback) => callback(null, { connection: socket }),
    });
    try {
      const sent = await transport.sendMail({ ...mail, from: destination.from, to: destination.to, signal: stop });
      return answerOf(250, [sent.response, ...sent.rejected.map((address) => `refused: ${address}`)].join('\n'));
    } catch (error) {
      return refusalOf(error);
    } finally {
      transport.close();
    }
  });
}

/**
 * SMTP counts otherwise than HTTP (RFC 5321 § 4.2.1): 4yz asks for patience, 5yz is a no for this mail.
 * @throws AttemptFailure where the server has not answered
 */
function refusalOf(error: unknown): Answer {
  const { responseCode, response, code, originalCode } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Record<string, unknown>;
  if (code === 'ETLS') {
    throw new AttemptFailure('tls', 'tls', 'the mail server offers no STARTTLS', { cause: error });
  }
  if (typeof responseCode === 'number' && responseCode >= 400) {
    return answerOf(responseCode, typeof response === 'string' ? response : '', rejectionOf(code, responseCode));
  }
  if (code === 'ECONNECTION') {
    throw new AttemptFailure('reset', 'ttfb', 'the mail server closed the connection', { cause: error });
  }
  // What the socket said: a system error (ECONNRESET), or one of OpenSSL's (CERT_HAS_EXPIRED) from the upgrade.
  const fromTls = code === 'ESOCKET' && typeof originalCode === 'string' && !/^E[A-Z]+$/.test(originalCode);
  throw failureOf(typeof originalCode === 'string' ? { code: originalCode } : error, fromTls ? 'tls' : 'ttfb');
}

function rejectionOf(code: unknown, status: number): Rejection {
  if (status < 500) return 'passing';
  return code === 'EAUTH' || [530, 534, 535, 538].includes(status) ? 'auth' : 'request';
}

function answerOf(status: number, text: string, rejected?: Rejection): Answer {
  const body = { bytes: Buffer.byteLength(text), text: cut(text, 4_096), complete: true };
  return { status, headers: {}, body, ...(rejected === undefined ? {} : { rejected }) };
}
