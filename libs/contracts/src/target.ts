import { z } from 'zod';
import { durationSchema, labelsSchema, nameSchema } from './primitives.js';

/** Kinds of targets; the kind is the second segment of the types of a target's events. */
export const targetKindSchema = z
  .enum(['node', 'gateway', 'origin', 'service', 'admin', 'logserver', 'custom'])
  .meta({ id: 'TargetKind' });
export type TargetKind = z.infer<typeof targetKindSchema>;

const cadence = {
  interval: durationSchema({ min: '200ms', max: '1d' }).default('10s'),
  timeout: durationSchema({ min: '50ms', max: '60s' }).default('2s'),
  fastInterval: durationSchema({ min: '100ms', max: '1h' }).default('1s'),
  failures: z.int().min(1).max(20).default(2),
  successes: z.int().min(1).max(20).default(2),
};

const httpUrlSchema = z
  .string()
  .max(2048)
  .refine((text) => {
    const url = URL.parse(text);
    return (
      url !== null &&
      (url.protocol === 'http:' || url.protocol === 'https:') &&
      url.username === '' &&
      url.password === ''
    );
  }, 'must be an absolute http or https URL without credentials')
  .meta({ examples: ['https://edge-fra-17.example.net/healthz'] });

/** HTTP check. Redirects are not followed; a status outside `expect` is a failure. */
export const httpCheckSchema = z
  .strictObject({
    type: z.literal('http'),
    url: httpUrlSchema,
    method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).default('GET'),
    headers: z
      .record(
        z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header name'),
        z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be a header value'),
      )
      .default({}),
    expect: z
      .strictObject({
        status: z
          .array(
            z
              .string()
              .regex(
                /^(?:[1-5]xx|[1-5]\d\d(?:-[1-5]\d\d)?)$/,
                'must be a status (200), a class (2xx) or a range (200-299)',
              ),
          )
          .min(1)
          .default(['2xx']),
        body: z
          .string()
          .max(1024)
          .optional()
          .meta({ description: 'Substring the first 64 KiB of the body must contain' }),
      })
      .prefault({}),
    tlsVerify: z.boolean().default(true),
    degradedAfter: durationSchema({ min: '1ms', max: '60s' })
      .optional()
      .meta({ description: 'An answer that takes longer is a pass, but a degraded one' }),
    ...cadence,
  })
  .meta({ id: 'HttpCheck' });
export type HttpCheck = z.infer<typeof httpCheckSchema>;

const hostPort = {
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65535),
};

/** TCP check: connects, and that is a pass, unless something is to be heard. */
export const tcpCheckSchema = z
  .strictObject({
    type: z.literal('tcp'),
    ...hostPort,
    send: z.string().max(1024).optional().meta({ description: 'Sent as soon as the connection stands' }),
    expect: z.string().min(1).max(1024).optional().meta({ description: 'Text that must come within the first 64 KiB' }),
    ...cadence,
  })
  .meta({ id: 'TcpCheck' });
export type TcpCheck = z.infer<typeof tcpCheckSchema>;

/** gRPC check: `grpc.health.v1.Health/Check` must answer SERVING. */
export const grpcCheckSchema = z
  .strictObject({
    type: z.literal('grpc'),
    ...hostPort,
    service: z
      .string()
      .max(256)
      .default('')
      .meta({ description: 'Service to ask for; empty for the server as a whole' }),
    tls: z.boolean().default(false),
    tlsVerify: z.boolean().default(true),
    ...cadence,
  })
  .meta({ id: 'GrpcCheck' });
export type GrpcCheck = z.infer<typeof grpcCheckSchema>;

/** TLS check: the certificate is trusted, for this name, and has more than a tenth of its lifetime left (else degraded). */
export const tlsCheckSchema = z
  .strictObject({
    type: z.literal('tls'),
    ...hostPort,
    port: hostPort.port.default(443),
    serverName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .meta({ description: 'Name to ask for and to verify; the host if left out' }),
    tlsVerify: z.boolean().default(true).meta({ description: 'False: look at the dates only' }),
    ...cadence,
    interval: durationSchema({ min: '200ms', max: '1d' }).default('1h'),
  })
  .meta({ id: 'TlsCheck' });
export type TlsCheck = z.infer<typeof tlsCheckSchema>;

/** DNS check: the name resolves, to what is expected where something is. */
export const dnsCheckSchema = z
  .strictObject({
    type: z.literal('dns'),
    name: z.string().min(1).max(253),
    record: z.enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'TXT']).default('A'),
    server: z
      .string()
      .regex(
        /^(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?)$/,
        'must be an IP address, with a port if need be',
      )
      .optional()
      .meta({
        description: 'Server to ask; the observer’s own resolver if left out',
        examples: ['192.0.2.53', '[2001:db8::53]:5353'],
      }),
    expect: z
      .array(z.string().min(1).max(512))
      .min(1)
      .max(32)
      .optional()
      .meta({ description: 'Answers that must all be among those given' }),
    ...cadence,
  })
  .meta({ id: 'DnsCheck' });
export type DnsCheck = z.infer<typeof dnsCheckSchema>;

export const checkSchema = z
  .discriminatedUnion('type', [httpCheckSchema, tcpCheckSchema, grpcCheckSchema, tlsCheckSchema, dnsCheckSchema])
  .meta({ id: 'Check' });
export type Check = z.infer<typeof checkSchema>;

/** What a PUT on a target takes. */
export const targetSpecSchema = z
  .strictObject({
    kind: targetKindSchema,
    labels: labelsSchema.default({}),
    parent: nameSchema.optional(),
    check: checkSchema,
  })
  .meta({ id: 'TargetSpec' });
/** A target as validated: every default filled in. */
export type TargetSpec = z.infer<typeof targetSpecSchema>;

/** States that leave Tocsin. `pending`: no check has decided anything yet. */
export const announcedStateSchema = z
  .enum(['pending', 'up', 'degraded', 'down', 'unknown'])
  .meta({ id: 'AnnouncedState' });
export type AnnouncedState = z.infer<typeof announcedStateSchema>;

/** A target as the API shows it. */
export const targetViewSchema = z
  .object({
    name: nameSchema,
    ...targetSpecSchema.shape,
    state: announcedStateSchema,
    stateSince: z.string().optional().meta({ description: 'When the state became true; absent while pending' }),
    episode: z.string().optional().meta({ description: 'The open episode, where there is one' }),
    revision: z.int().meta({ description: 'Position of the event that last changed the declaration; the ETag' }),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Target' });
export type TargetView = z.infer<typeof targetViewSchema>;

/** What the registry puts into the observers' KV bucket for a target. */
export const watchedTargetSchema = z.object({ name: nameSchema, revision: z.int(), spec: targetSpecSchema });
export type WatchedTarget = z.infer<typeof watchedTargetSchema>;

/** Subject of a target's health events: `node/edge-fra-17`. */
export function targetSubject(kind: TargetKind, name: string): string {
  return `${kind}/${name}`;
}
