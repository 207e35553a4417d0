import { cut, type Notice } from './notice.js';

const COLOURS = { critical: 0xd72b3f, warning: 0xe8a317, info: 0x4a7ebb, resolved: 0x2eb67d } as const;

/** Body for "Execute Webhook" (https://docs.discord.com/developers/resources/webhook); an embed takes 6,000 characters in all. */
export function discordBody(notice: Notice): object {
  return {
    username: 'Tocsin',
    // Whatever a label or a reason says, nobody is pinged by it.
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cut(escapeDiscord(notice.title), 256),
        ...(notice.text === '' ? {} : { description: cut(escapeDiscord(notice.text), 2_000) }),
        color: COLOURS[notice.level],
        timestamp: notice.time,
        fields: notice.facts.slice(0, 25).map(({ name, value }) => ({
          name: cut(escapeDiscord(name), 256),
          value: cut(escapeDiscord(value), 400),
          inline: value.length <= 40,
        })),
      },
    ],
  };
}

/** Takes its meaning from every character that Discord's Markdown knows. */
export function escapeDiscord(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<@-]/g, (character) => `\\${character}`);
}
