import { createHmac } from 'node:crypto';
import { destinationSchema } from '@tocsin/contracts';
import { describe, expect, it } from 'vitest';
import { DOWN_FACTS as FACTS, downEvent as down, producersEvent as news, upEvent as up } from '../events.harness.js';
import { renderRequest } from './render.js';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 11);

function render(destination: unknown, event: typeof down) {
  const request = renderRequest({ destination: destinationSchema.parse(destination), event, secrets: [], nowMs });
  return { ...request, json: JSON.parse(request.body.toString('utf8')) as Record<string, never> };
}
describe('slack', () => {
  const slack = { kind: 'slack', url: 'https://hooks.slack.com/services/T0/B0/x' };
  it('tells a down in a message that reads well in a notification', () => {
    const { url, headers, json } = render(slack, down);
    expect(url).toBe(slack.url);
    expect(headers).toEqual({ 'content-type': 'application/json; charset=utf-8' });
    expect(json).toEqual({
      text: ':red_circle: DOWN node edge-fra-17',
      attachments: [
        {
          color: '#d72b3f',
          blocks: [
            {
              type: 'section',
              text: { type: 'mrkdwn', text: '*DOWN node edge-fra-17*\nconnection refused at 10.0.0.7:443 &lt;tcp&gt;' },
            },
            {
              type: 'section',
              fields: FACTS.map(([name, value]) => ({ type: 'mrkdwn', text: `*${name}*\n${value}` })),
            },
          ],
        },
      ],
    });
  });
  it('tells the up with how long it took', () => {
    const { json } = render(slack, up);
    expect(json['text']).toBe(':large_green_circle: UP node edge-fra-17 after 12m 5s');
    expect(JSON.stringify(json)).toContain('*Confirmed by*\\n2 of 2 observers');
  });
  it('tells a producer’s event, and lets it call nobody', () => {
    const { body, json } = render(slack, news);
    expect(json['text']).toBe(':information_source: net.example.ci.finished: pipeline/deploy');
    expect(body.toString()).not.toContain('<!channel>');
    expect(body.toString()).toContain('build &amp; deploy *done* @here &lt;!channel&gt;');
  });
});

describe('discord', () => {
  const discord = { kind: 'discord', url: 'https://discord.com/api/webhooks/1/x' };
  it('sends an embed', () => {
    expect(render(discord, down).json).toEqual({
      username: 'Tocsin',
      allowed_mentions: { parse: [] },
      embeds: [
        {
          title: 'DOWN node edge\\-fra\\-17',
          description: 'connection refused at 10.0.0.7:443 \\<tcp\\>',
          color: 0xd72b3f,
          timestamp: '2026-01-02T03:04:05.678Z',
          fields: FACTS.map(([name, value]) => ({ name, value: value.replaceAll('-', '\\-'), inline: true })),
        },
      ],
    });
  });
  it('keeps within 6,000 characters whatever it is told', () => {
    const flood = {
      reason: '*'.repeat(50_000),
      labels: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`l${i}`, '_'.repeat(200)])),
    };
    const { json } = render(discord, { ...down, data: flood });
    const [embed] = json['embeds'] as unknown as [
      { title: string; description: string; fields: { name: string; value: string }[] },
    ];
    const total = [embed.title, embed.description, ...embed.fields.flatMap(({ name, value }) => [name, value])].join(
      '',
    ).length;
    expect(total).toBeLessThanOrEqual(6_000);
  });
});

describe('teams', () => {
  it('sends an Adaptive Card in a message, as the workflow wants it', () => {
    const { json } = render({ kind: 'teams', url: 'https://x.logic.azure.com/workflows/x' }, down);
    expect(json).toEqual({
      type: 'message',
      summary: 'DOWN node edge-fra-17',
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
                text: 'DOWN node edge-fra-17',
                size: 'Large',
                weight: 'Bolder',
                color: 'attention',
                wrap: true,
              },
              { type: 'TextBlock', text: 'connection refused at 10.0.0.7:443 <tcp>', wrap: true },
              { type: 'FactSet', facts: FACTS.map(([title, value]) => ({ title, value })) },
            ],
          },
        },
      ],
    });
  });
});

describe('dingtalk', () => {
  const url = 'https://oapi.dingtalk.com/robot/send?access_token=abc';
  it('sends Markdown', () => {
    expect(render({ kind: 'dingtalk', url }, down)).toMatchObject({
      url,
      json: {
        msgtype: 'markdown',
        markdown: {
          title: '🔴 DOWN node edge-fra-17',
          text: [
            '### 🔴 DOWN node edge-fra-17',
            'connection refused at 10.0.0.7:443 \\<tcp\\>',
            FACTS.map(([name, value]) => `- **${name}**: ${value}`).join('\n'),
          ].join('\n\n'),
        },
        at: { isAtAll: false },
      },
    });
  });
  it('signs the URL over timestamp and secret', () => {
    const secret = 'SEC000000';
    const signed = new URL(render({ kind: 'dingtalk', url, secret }, down).url);
    expect(signed.searchParams.get('access_token')).toBe('abc');
    expect(signed.searchParams.get('timestamp')).toBe(String(nowMs));
    const expected = createHmac('sha256', secret).update(`${nowMs}\n${secret}`).digest('base64');
    expect(signed.searchParams.get('sign')).toBe(expected);
    expect(signed.search).not.toMatch(/sign=[^&]*[+/=]/);
  });
});

describe('feishu', () => {
  const feishu = { kind: 'feishu', url: 'https://open.feishu.cn/open-apis/bot/v2/hook/x' };
  it('sends a card of plain text', () => {
    expect(render(feishu, up).json).toEqual({
      msg_type: 'interactive',
      card: {
        config: { wide_screen_mode: true },
        header: { title: { tag: 'plain_text', content: 'UP node edge-fra-17 after 12m 5s' }, template: 'green' },
        elements: [
          { tag: 'div', text: { tag: 'plain_text', content: 'answers again: 200 in 12 ms' } },
          {
            tag: 'div',
            fields: [
              ['Since', '2026-01-02 03:16:10 UTC'],
              ['Labels', 'site=fra, role=edge'],
              ['Confirmed by', '2 of 2 observers'],
              ['Lasted', '12m 5s'],
              ['Detected within', '4s'],
            ].map(([name, value]) => ({ is_short: true, text: { tag: 'plain_text', content: `${name}\n${value}` } })),
          },
        ],
      },
    });
  });
  it('signs with the time in seconds and the secret as the key', () => {
    const { json } = render({ ...feishu, secret: 'demo' }, down);
    const timestamp = String(nowMs / 1_000);
    expect(json['timestamp']).toBe(timestamp);
    expect(json['sign']).toBe(createHmac('sha256', `${timestamp}\ndemo`).update('').digest('base64'));
  });
});
