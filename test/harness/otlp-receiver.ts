import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
type Attributes = { key: string; value: Value & { arrayValue?: { values: Value[] } } }[];

/** A span as OTLP/JSON brings it (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). */
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: Attributes;
  events?: { name: string; timeUnixNano: string; attributes?: Attributes }[];
  links?: { traceId: string; spanId: string }[];
  status?: { code?: number; message?: string };
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

/** A span, ready to be looked at. */
export interface ReceivedSpan {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: string;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  events: { name: string; atMs: number; attributes: Record<string, unknown> }[];
  /** Span ids. */
  links: string[];
  failed: boolean;
}

/** A collector of traces: takes OTLP over HTTP in JSON and remembers it. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Everything that came, as it came. */
  readonly bodies: string[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        receiver.#take(Buffer.concat(chunks).toString('utf8'));
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** What a process that is to send here has to be told. */
  get env(): Record<string, string> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    };
  }

  /** Spans of a name, in the order in which they began. */
  named(name: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.name === name).sort((one, other) => one.startMs - other.startMs);
  }

  /** What hangs directly on a span, in the order in which it began. */
  below(parent: ReceivedSpan): ReceivedSpan[] {
    return this.spans
      .filter((span) => span.traceId === parent.traceId && span.parentSpanId === parent.spanId)
      .sort((one, other) => one.startMs - other.startMs);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #take(body: string): void {
    this.bodies.push(body);
    const { resourceSpans } = JSON.parse(body) as {
      resourceSpans: { resource: { attributes: Attributes }; scopeSpans: { spans: OtlpSpan[] }[] }[];
    };
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(valuesOf(resource.attributes)['service.name']);
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => received(span, service)));
    }
  }
}

function received(span: OtlpSpan, service: string): ReceivedSpan {
  return {
    service,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId === undefined || span.parentSpanId === '' ? undefined : span.parentSpanId,
    name: span.name,
    kind: KINDS[span.kind] ?? String(span.kind),
    startMs: millisecondsOf(span.startTimeUnixNano),
    endMs: millisecondsOf(span.endTimeUnixNano),
    attributes: valuesOf(span.attributes),
    events: (span.events ?? []).map(({ name, timeUnixNano, attributes }) => ({
      name,
      atMs: millisecondsOf(timeUnixNano),
      attributes: valuesOf(attributes),
    })),
    links: (span.links ?? []).map(({ spanId }) => spanId),
    failed: span.status?.code === 2,
  };
}

/** With microseconds as fractions. */
function millisecondsOf(unixNano: string): number {
  return Number(BigInt(unixNano) / 1000n) / 1000;
}

function valuesOf(attributes: Attributes = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: Attributes[number]['value']): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(valueOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue;
}
