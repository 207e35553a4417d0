import { createHmac } from 'node:crypto';
import { cut, type Notice } from './notice.js';

const MARKS = { critical: '🔴', warning: '🟡', info: '🔵', resolved: '🟢' } as const;
/** A message may have 20,000 bytes; four a character at most. */
const TEXT_CHARS = 4_500;

/** Body for a custom robot (https://open.dingtalk.com/document/robots/custom-robot-access), as Markdown. */
export function dingtalkBody(notice: Notice): object {
  const lines = [
    `### ${MARKS[notice.level]} ${escapeMarkdown(notice.title)}`,
    ...(notice.text === '' ? [] : [escapeMarkdown(notice.text)]),
    notice.facts.map(({ name, value }) => `- **${escapeMarkdown(name)}**: ${escapeMarkdown(value)}`).join('\n'),
  ];
  return {
    msgtype: 'markdown',
    markdown: { title: cut(`${MARKS[notice.level]} ${notice.title}`, 100), text: cut(lines.join('\n\n'), TEXT_CHARS) },
    at: { isAtAll: false },
  };
}

/**
 * The robot's URL with its signature: HMAC-SHA256 over `timestamp\nsecret`, keyed by the secret, base64, percent-encoded.
 * @param timestampMs must be within an hour of DingTalk's own clock
 */
export function dingtalkUrl(url: string, secret: string | undefined, timestampMs: number): string {
  if (secret === undefined) return url;
  const sign = createHmac('sha256', secret).update(`${timestampMs}\n${secret}`).digest('base64');
  const signed = new URL(url);
  signed.searchParams.set('timestamp', String(timestampMs));
  signed.searchParams.set('sign', sign);
  return signed.href;
}

/** Takes its meaning from every character that DingTalk's Markdown knows; `@` would call people. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_`#[\]()!<>|]/g, (character) => `\\${character}`).replaceAll('@', '@\u{200b}');
}
