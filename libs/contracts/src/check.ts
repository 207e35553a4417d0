import { z } from 'zod';
import { bodyRegexSchema, jsonAssertionSchema } from './http-assertions.js';
import { durationSchema } from './primitives.js';

const cadence = {
  interval: durationSchema({ min: '200ms', max: '1d' }).default('10s'),
  timeout: durationSchema({ min: '50ms', max: '60s' }).default('2s'),
  fastInterval: durationSchema({ min: '100ms', max: '1h' }).default('1s'),
  failures: z.int().min(1).max(20).default(2),
  successes: z.int().min(1).max(20).default(2),
};

const serverNameSchema = z.string().min(1).max(253);

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
        regex: bodyRegexSchema.optional(),
        json: z
          .array(jsonAssertionSchema)
          .min(1)
          .max(16)
          .optional()
          .meta({ description: 'What the body, which is JSON then, must say; all of it' }),
      })
      .prefault({}),
    serverName: serverNameSchema
      .optional()
      .meta({ description: 'Name to ask for (SNI) and to verify; the host of the URL if left out' }),
    tlsVerify: z.boolean().default(true),
    degradedAfter: durationSchema({ min: '1ms', max: '60s' })
      .optional()
      .meta({ description: 'An answer that takes longer is a pass, but a degraded one' }),
    ...cadence,
  })
  .meta({ id: 'HttpCheck' });
export type HttpCheck = z.infer<typeof httpCheckSchema>;

const hostSchema = z.string().min(1).max(253);

const hostPort = {
  host: hostSchema,
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
    serverName: serverNameSchema
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
    rcode: z
      .enum(['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR', 'NOTIMP'])
      .default('NOERROR')
      .meta({ description: 'Code the server must answer with; NXDOMAIN: the name must not exist' }),
    expect: z.array(z.string().min(1).max(512)).min(1).max(32).optional().meta({ description: 'Answers to look for' }),
    match: z.enum(['all', 'any', 'exact']).default('all').meta({
      description: 'Of `expect`: all are among the answers, any of them is, or they are the answers and no others',
    }),
    announceChanges: z.boolean().default(true).meta({
      description: 'Tell when other answers are given than before; false for names that are answered in turns',
    }),
    ...cadence,
  })
  .refine((check) => check.rcode === 'NOERROR' || check.expect === undefined, {
    path: ['expect'],
    error: 'goes with rcode NOERROR only: any other has no answers',
  })
  .meta({ id: 'DnsCheck' });
export type DnsCheck = z.infer<typeof dnsCheckSchema>;

/**
 * ICMP check: one echo request is answered. Observers send it through the system's `ping`, and only those that were told to
 * (`TOCSIN_ICMP`).
 */
export const icmpCheckSchema = z
  .strictObject({ type: z.literal('icmp'), host: hostSchema, ...cadence })
  .meta({ id: 'IcmpCheck' });
export type IcmpCheck = z.infer<typeof icmpCheckSchema>;

/** A check that an observer makes by itself, as against a heartbeat, which it waits for. */
export const probeCheckSchema = z
  .discriminatedUnion('type', [
    httpCheckSchema,
    tcpCheckSchema,
    grpcCheckSchema,
    tlsCheckSchema,
    dnsCheckSchema,
    icmpCheckSchema,
  ])
  .meta({ id: 'ProbeCheck' });
export type ProbeCheck = z.infer<typeof probeCheckSchema>;

/** Heartbeat: the target says by itself that it is alive, over HTTP or NATS. Three that are missed make it suspect. */
export const heartbeatCheckSchema = z
  .strictObject({
    type: z.literal('heartbeat'),
    interval: durationSchema({ min: '200ms', max: '1d' })
      .default('10s')
      .meta({ description: 'How often a heartbeat is due' }),
    grace: durationSchema({ min: '0s', max: '1d' })
      .default('0s')
      .meta({ description: 'How much later than three intervals after the last one the next may be' }),
    active: probeCheckSchema
      .optional()
      .meta({ description: 'Looks for itself while nothing is heard: tells a dead node from a dead agent' }),
  })
  .meta({ id: 'HeartbeatCheck' });
export type HeartbeatCheck = z.infer<typeof heartbeatCheckSchema>;

export const checkSchema = z
  .discriminatedUnion('type', [
    httpCheckSchema,
    tcpCheckSchema,
    grpcCheckSchema,
    tlsCheckSchema,
    dnsCheckSchema,
    icmpCheckSchema,
    heartbeatCheckSchema,
  ])
  .meta({ id: 'Check' });
export type Check = z.infer<typeof checkSchema>;

/** Does this check, or the one that stands in for a heartbeat, need observers that can send ICMP? */
export function needsIcmp(check: Check): boolean {
  return check.type === 'icmp' || (check.type === 'heartbeat' && check.active?.type === 'icmp');
}
