import { cut, type Notice } from './notice.js';

const COLOURS = { critical: 'attention', warning: 'warning', info: 'accent', resolved: 'good' } as const;

/**
 * Body for the Workflows template "Post to a channel when a webhook request is received": a message with an Adaptive Card
 * (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook). 28 KB at most.
 */
export function teamsBody(notice: Notice): object {
  return {
    type: 'message',
    // Shown in the notification, where a card cannot be.
    summary: cut(notice.title, 300),
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          msteams: { width: 'Full' },
          body: [
            {
              type: 'TextBlock',
              text: escapeTeams(cut(notice.title, 500)),
              size: 'Large',
              weight: 'Bolder',
              color: COLOURS[notice.level],
              wrap: true,
            },
            ...(notice.text === '' ? [] : [{ type: 'TextBlock', text: escapeTeams(notice.text), wrap: true }]),
            {
              type: 'FactSet',
              facts: notice.facts.map(({ name, value }) => ({ title: name, value: escapeTeams(value) })),
            },
          ],
        },
      },
    ],
  };
}

/** A TextBlock takes a little Markdown: bold, italics, links and lists. */
function escapeTeams(text: string): string {
  return text.replaceAll(/[\\*_[\]()#`]/g, (character) => `\\${character}`);
}
