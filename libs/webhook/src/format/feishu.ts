import { createHmac } from 'node:crypto';
import { cut, type Notice } from './notice.js';

const TEMPLATES = { critical: 'red', warning: 'orange', info: 'blue', resolved: 'green' } as const;

/**
 * Body for a custom bot (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot): an interactive card whose text is
 * plain, so that nothing in it is markup.
 */
export function feishuBody(notice: Notice, secret: string | undefined, timestampS: number): object {
  const plain = (content: string) => ({ tag: 'plain_text', content });
  return {
    ...(secret === undefined ? {} : { timestamp: String(timestampS), sign: feishuSignature(secret, timestampS) }),
    msg_type: 'interactive',
    card: {
      config: { wide_screen_mode: true },
      header: { title: plain(cut(notice.title, 300)), template: TEMPLATES[notice.level] },
      elements: [
        ...(notice.text === '' ? [] : [{ tag: 'div', text: plain(notice.text) }]),
        {
          tag: 'div',
          fields: notice.facts.map(({ name, value }) => ({
            is_short: value.length <= 40,
            text: plain(`${name}\n${value}`),
          })),
        },
      ],
    },
  };
}

/** HMAC-SHA256 over nothing, keyed by `timestamp\nsecret`, base64. */
export function feishuSignature(secret: string, timestampS: number): string {
  return createHmac('sha256', `${timestampS}\n${secret}`).digest('base64');
}
