import { SpanKind } from '@opentelemetry/api';
import { SPANS } from '@tocsin/tracing';

/** Where the reference stands in the repository. */
export const SPAN_DOCS_PATH = 'docs/tracing.md';

/** The reference of all spans, in Markdown. */
export function spanDocs(): string {
  const rows = Object.values(SPANS).map(
    ({ name, kind, parent, covers }) => `| \`${name}\` | ${SpanKind[kind].toLowerCase()} | ${parent} | ${covers} |`,
  );
  return `# Tracing

<!-- Written by \`npm run codegen:spans\` from the set of spans; changes here are overwritten. -->

Set \`OTEL_EXPORTER_OTLP_ENDPOINT\` (see [configuration.md](configuration.md)) and every process sends its spans there; without it nothing is traced.
An outage is one trace, from its first failing probe to the match of its event; each attempt to tell somebody is a trace of its own, linked to
that one, because it may come days later.

\`\`\`
confirm                                  observer: first failing probe … commit
├─ request tocsin.rpc.log.append         observer → leader, over NATS
│  └─ serve tocsin.rpc.log.append        the leader
│     └─ append
│        └─ commit                       one transaction; its SQL below
├─ publish EVENTS                        the relay
└─ match                                 delivery

attempt   (links: confirm)               delivery → receiver
└─ POST                                  the request; carries \`traceparent\`
attempt   (links: confirm, attempt before)
└─ POST
\`\`\`

What a viewer makes of a real one, where the receiver answered 503 at first (\`npm run docs:trace\` takes it anew; the dots are probes):

![Waterfalls of four traces: a question to the other observers; confirm with request, serve, append, commit, publish and match below it; two attempts with their POST](trace.svg)

| span | kind | parent | covers |
|---|---|---|---|
${rows.join('\n')}

Beside these there are spans of OpenTelemetry's instrumentations: calls of the HTTP API by route, gRPC, SQL, outgoing requests.

- A recorded event carries the context it was made in as its extension \`traceparent\`: that of the \`confirm\`, or, for events of producers, of the
  request they came with. It is in the event's NATS headers and in what receivers get.
- Attributes follow the conventions for HTTP and messaging; \`tocsin.*\` stands for what those have no word for: \`tocsin.position\`, \`tocsin.event.id\`,
  \`tocsin.subject\`, \`tocsin.subscription\`, \`tocsin.episode\`, \`tocsin.attempt.number\`, \`tocsin.attempt.outcome\`.
- No span holds a path or query of a receiver, a header, a body, a command line, or the text of an error: any of them may be a secret.
- Log lines carry \`trace_id\` and \`span_id\`; an attempt in the ledger carries its trace id.
`;
}
