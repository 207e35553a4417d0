import { cut, type Notice } from './notice.js';

const COLOURS = { critical: '#d72b3f', warning: '#e8a317', info: '#4a7ebb', resolved: '#2eb67d' } as const;
const MARKS = {
  critical: ':red_circle:',
  warning: ':large_yellow_circle:',
  info: ':information_source:',
  resolved: ':large_green_circle:',
} as const;

/** Limits of Block Kit: 3,000 characters of text in a section, 10 fields of 2,000; the whole line above them is the notification. */
const SECTION_CHARS = 2_900;
const FIELD_CHARS = 1_900;
const FIELDS = 10;

/** Body for an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
export function slackBody(notice: Notice): object {
  const title = `*${escapeSlack(notice.title)}*`;
  const text = notice.text === '' ? title : `${title}\n${escapeSlack(notice.text)}`;
  return {
    text: `${MARKS[notice.level]} ${escapeSlack(cut(notice.title, 300))}`,
    attachments: [
      {
        color: COLOURS[notice.level],
        blocks: [
          { type: 'section', text: { type: 'mrkdwn', text: cut(text, SECTION_CHARS) } },
          {
            type: 'section',
            fields: notice.facts.slice(0, FIELDS).map(({ name, value }) => ({
              type: 'mrkdwn',
              text: cut(`*${escapeSlack(name)}*\n${escapeSlack(value)}`, FIELD_CHARS),
            })),
          },
        ],
      },
    ],
  };
}

/** Slack's three control characters; escaping them also disarms `<!channel>` and links that lie about where they lead. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
