import { z } from 'zod';

/** How a secret is shown: a plain one as `***`, a URL as its origin and `/…`. */
export type SecretForm = 'value' | 'url';

/** Schemas of values that are neither shown nor recorded. `splitDestination` goes by this registry, so marking is enough. */
export const SECRET_SCHEMAS = z.registry<{ secret: SecretForm }>();

function secret<S extends z.ZodType>(schema: S, form: SecretForm = 'value'): S {
  SECRET_SCHEMAS.add(schema, { secret: form });
  return schema;
}

/** Stands for a secret that is not shown. It is printable ASCII, so that a redacted declaration is still a valid one. */
export const HIDDEN_VALUE = '***';

function urlSchema(protocols: readonly string[], what: string) {
  return z
    .string()
    .max(2048)
    .refine((text) => {
      const url = URL.parse(text);
      return url !== null && protocols.includes(url.protocol) && url.hostname !== '';
    }, `must be an absolute ${what} URL`);
}
const httpUrl = () => urlSchema(['http:', 'https:'], 'http or https');
const destinationUrl = () => secret(httpUrl(), 'url');
const secretText = (max = 4096) => secret(z.string().min(1).max(max));

/** Headers Tocsin sets itself or that shape the connection; a subscription may not name them. */
export const RESERVED_HEADERS: readonly string[] = [
  'content-length',
  'content-type',
  'transfer-encoding',
  'host',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'proxy-connection',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'traceparent',
  'tracestate',
  'user-agent',
];

const headersSchema = z
  .record(
    z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'must be a header name')
      .refine(
        (name) => !RESERVED_HEADERS.includes(name.toLowerCase()),
        'is set by Tocsin itself and cannot be overridden',
      ),
    secret(
      z
        .string()
        .max(4096)
        .regex(/^[\t\x20-\x7e]*$/, 'must be a printable header value'),
    ),
  )
  .refine((headers) => Object.keys(headers).length <= 32, 'must be at most 32 headers');

const basicAuthSchema = z.strictObject({
  type: z.literal('basic'),
  username: z.string().min(1).max(256),
  password: secretText(),
});
const bearerAuthSchema = z.strictObject({
  type: z.literal('bearer'),
  token: secretText().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces'),
});
const oauth2AuthSchema = z.strictObject({
  type: z.literal('oauth2'),
  tokenUrl: httpUrl(),
  clientId: z.string().min(1).max(1024),
  clientSecret: secretText(),
  scope: z.string().max(1024).optional(),
  audience: z.string().max(1024).optional().meta({ description: 'Some authorization servers want one' }),
  clientAuth: z.enum(['basic', 'post']).optional().meta({
    description: 'Where the client credentials stand (RFC 6749 § 2.3.1): a Basic header (default) or the form',
  }),
});

/** How Tocsin proves who it is to a receiver. */
export const destinationAuthSchema = z
  .discriminatedUnion('type', [basicAuthSchema, bearerAuthSchema, oauth2AuthSchema])
  .meta({ id: 'DestinationAuth', description: 'OAuth2 is the client credentials grant; its token is cached' });
export type DestinationAuth = z.infer<typeof destinationAuthSchema>;

const pem = () =>
  z
    .string()
    .max(65_536)
    .refine((text) => text === HIDDEN_VALUE || text.trimStart().startsWith('-----BEGIN '), 'must be PEM');
const tlsSchema = z
  .strictObject({
    cert: pem().optional(),
    key: secret(pem()).optional(),
    passphrase: secretText().optional(),
    ca: pem().optional().meta({ description: 'Authorities trusted for this destination instead of the usual ones' }),
  })
  .refine((tls) => (tls.cert === undefined) === (tls.key === undefined), 'cert and key go together')
  .meta({ id: 'DestinationTls', description: 'Client certificate (mTLS) and private authorities' });

const formatSchema = z
  .union([
    z.enum(['structured', 'binary']),
    z.strictObject({
      template: z.json().meta({
        description: 'A JSON document; ${…} in its strings holds a CEL expression over `event` and `data`',
      }),
    }),
  ])
  .meta({ description: 'structured (default) and binary are the modes of the CloudEvents HTTP binding' });

/** The receiver's own service: CloudEvents under Standard Webhooks signatures. */
export const webhookDestinationSchema = z
  .strictObject({
    kind: z.literal('webhook'),
    url: destinationUrl(),
    headers: headersSchema.default({}),
    auth: destinationAuthSchema.optional(),
    tls: tlsSchema.optional(),
    format: formatSchema.optional(),
  })
  .meta({ id: 'WebhookDestination' });

const headers = headersSchema.default({});

export const slackDestinationSchema = z
  .strictObject({ kind: z.literal('slack'), url: destinationUrl(), headers })
  .meta({ id: 'SlackDestination', description: 'Incoming webhook of a channel' });

export const discordDestinationSchema = z
  .strictObject({ kind: z.literal('discord'), url: destinationUrl(), headers })
  .meta({ id: 'DiscordDestination', description: 'Webhook of a channel' });

export const teamsDestinationSchema = z
  .strictObject({ kind: z.literal('teams'), url: destinationUrl(), headers })
  .meta({
    id: 'TeamsDestination',
    description: 'URL of the workflow "Post to a channel when a webhook request is received"',
  });

export const dingtalkDestinationSchema = z
  .strictObject({ kind: z.literal('dingtalk'), url: destinationUrl(), headers, secret: secretText(256).optional() })
  .meta({
    id: 'DingtalkDestination',
    description: 'Custom robot of a group; `secret` where its signature is switched on',
  });

export const feishuDestinationSchema = z
  .strictObject({ kind: z.literal('feishu'), url: destinationUrl(), headers, secret: secretText(256).optional() })
  .meta({
    id: 'FeishuDestination',
    description: 'Custom bot of a group; `secret` where signature verification is switched on',
  });

export const pagerdutyDestinationSchema = z
  .strictObject({
    kind: z.literal('pagerduty'),
    url: destinationUrl().default('https://events.pagerduty.com/v2/enqueue'),
    headers,
    routingKey: secretText(64).meta({ description: 'Integration key of an Events API v2 integration' }),
  })
  .meta({ id: 'PagerdutyDestination' });

export const opsgenieDestinationSchema = z
  .strictObject({
    kind: z.literal('opsgenie'),
    url: destinationUrl()
      .default('https://api.opsgenie.com/')
      .meta({ description: 'https://api.eu.opsgenie.com/ in Europe' }),
    headers,
    apiKey: secretText(256),
    tags: z.array(z.string().min(1).max(50)).max(10).optional(),
  })
  .meta({ id: 'OpsgenieDestination' });

export const jiraDestinationSchema = z
  .strictObject({
    kind: z.literal('jira'),
    url: destinationUrl().meta({ description: 'Base URL of the site, e.g. https://example.atlassian.net/' }),
    headers,
    auth: z.discriminatedUnion('type', [basicAuthSchema, bearerAuthSchema]).meta({
      description: 'Cloud: basic with e-mail address and API token; Data Center: bearer with a personal access token',
    }),
    project: z.string().regex(/^[A-Z][A-Z0-9_]{1,31}$/, 'must be a project key, such as OPS'),
    issueType: z.string().min(1).max(64).default('Task'),
    transition: z.string().min(1).max(64).optional().meta({
      description: 'Name of the transition made on recovery; else the first one into a status of category Done',
    }),
    labels: z
      .array(z.string().regex(/^\S{1,255}$/, 'must have no spaces'))
      .max(10)
      .optional(),
  })
  .meta({ id: 'JiraDestination' });

export const alertmanagerDestinationSchema = z
  .strictObject({
    kind: z.literal('alertmanager'),
    url: destinationUrl().meta({ description: 'Base URL, e.g. https://alertmanager.example.net/' }),
    headers,
    auth: destinationAuthSchema.optional(),
    tls: tlsSchema.optional(),
  })
  .meta({ id: 'AlertmanagerDestination' });

const mailAddress = z
  .string()
  .max(320)
  .regex(/^[^\s@<>,;"\\]+@[^\s@<>,;"\\]+$/, 'must be a plain address, such as ops@example.net');

export const emailDestinationSchema = z
  .strictObject({
    kind: z.literal('email'),
    url: secret(urlSchema(['smtp:', 'smtps:'], 'smtp or smtps'), 'url').meta({
      description: 'smtps://user:password@host (465) or smtp://… (587, STARTTLS required except towards loopback)',
    }),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .refine((value) => Object.keys(value).length === 0, 'e-mail takes no headers'),
    from: mailAddress,
    to: z.array(mailAddress).min(1).max(20),
  })
  .meta({ id: 'EmailDestination' });

/** Where the events of a subscription go. */
export const destinationSchema = z
  .discriminatedUnion('kind', [
    webhookDestinationSchema,
    slackDestinationSchema,
    discordDestinationSchema,
    teamsDestinationSchema,
    dingtalkDestinationSchema,
    feishuDestinationSchema,
    pagerdutyDestinationSchema,
    opsgenieDestinationSchema,
    jiraDestinationSchema,
    alertmanagerDestinationSchema,
    emailDestinationSchema,
  ])
  .meta({ id: 'Destination' });
export type Destination = z.infer<typeof destinationSchema>;
/** What one kind of destination consists of. */
export type DestinationOf<K extends Destination['kind']> = Extract<Destination, { kind: K }>;
