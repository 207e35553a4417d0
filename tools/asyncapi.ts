import { EVENT_CATALOGUE, JETSTREAM, OTHER_FACTS, TARGET_FACTS, targetKindSchema } from '@tocsin/contracts';
import { z } from 'zod';

type Json = Record<string, unknown>;

/** Where the document stands in the repository. */
export const ASYNCAPI_PATH = 'docs/asyncapi.json';

const NAME_PARAMETER = {
  description:
    'What the event is about: its subject after the first "/". Characters that NATS does not allow in a token are escaped as %XX per byte.',
  examples: ['edge-fra-17', 'edge%2Efra'],
};

const DESCRIPTION =
  `The log of events as internal teams consume it: JetStream stream \`${JETSTREAM.eventsStream}\`, in which the sequence of a message
is the position of its event. Each message is a structured CloudEvent 1.0. Consume with a durable of your own, acknowledge after the
work is done, and drop what you have seen already by \`position\`.

Events of producers' own types (\`com.acme.deploy\`) are on \`${JETSTREAM.eventsPrefix}.<type>.<name>\`, the type as its dot-separated segments. They carry
whatever their producer sent, and stand in no channel here.

A change that is recorded and told to nobody (extension \`withheld\`) is in the same stream on \`${JETSTREAM.withheldPrefix}.<kind>.<fact>.<name>\`:
a consumer of \`${JETSTREAM.eventsPrefix}.>\` never sees it.`.replaceAll(/(?<!\n)\n(?!\n)/g, ' ');

/** The AsyncAPI 3.1 document of the events, made from the catalogue. */
export function asyncApiDocument(version: string): Json {
  const schemas: Json = { CloudEvent: cloudEvent() };
  const channels: Json = {};
  const operations: Json = {};
  const messages: Json = {};
  const add = (key: string, channel: Json, types: string[], schemaVersion: number, schema: z.ZodType) => {
    messages[key] = message(key, types, schemaVersion, hoist(schema, schemas));
    channels[key] = { ...channel, messages: { [key]: { $ref: `#/components/messages/${key}` } } };
    operations[`send-${key}`] = {
      action: 'send',
      channel: { $ref: `#/channels/${key}` },
      messages: [{ $ref: `#/channels/${key}/messages/${key}` }],
    };
  };
  const kinds = targetKindSchema.options;
  for (const [fact, { schema, version: schemaVersion }] of Object.entries(TARGET_FACTS)) {
    const channel = {
      address: `${JETSTREAM.eventsPrefix}.{kind}.${fact}.{name}`,
      title: `A target: ${fact}`,
      parameters: { kind: { description: 'Kind of the target', enum: kinds }, name: NAME_PARAMETER },
    };
    add(
      `target-${fact}`,
      channel,
      kinds.map((kind) => `io.tocsin.${kind}.${fact}`),
      schemaVersion,
      schema,
    );
  }
  for (const [name, { schema, version: schemaVersion }] of Object.entries(OTHER_FACTS)) {
    const channel = {
      address: `${JETSTREAM.eventsPrefix}.${name}.{name}`,
      title: name.replace('.', ' '),
      parameters: { name: NAME_PARAMETER },
    };
    // `target.updated` is about the declaration: its key must differ from that of a fact about targets.
    add(`on-${name.replace('.', '-')}`, channel, [`io.tocsin.${name}`], schemaVersion, schema);
  }
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Tocsin events',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/cloudevents+json',
    servers: {
      nats: { host: 'localhost:4222', protocol: 'nats', description: 'NATS 2.12 or newer with JetStream' },
    },
    channels,
    operations,
    components: { messages, schemas: sorted(schemas) },
  };
}

function message(key: string, types: string[], version: number, data: Json): Json {
  const dataschemas = types.map((type) => EVENT_CATALOGUE.get(type)?.dataschema);
  return {
    name: key,
    title: types.length === 1 ? types[0] : types[0]?.replace('.node.', '.<kind>.'),
    contentType: 'application/cloudevents+json',
    headers: {
      type: 'object',
      properties: { traceparent: { type: 'string', description: 'W3C trace context of the event’s creation' } },
    },
    payload: {
      allOf: [
        { $ref: '#/components/schemas/CloudEvent' },
        {
          type: 'object',
          required: ['data'],
          properties: {
            type: { enum: types },
            dataschema: { enum: dataschemas, description: `Version ${version}; an event without it has version 1` },
            data,
          },
        },
      ],
    },
  };
}

/** What every message is, whatever it says. */
function cloudEvent(): Json {
  const text = { type: 'string', minLength: 1 };
  const time = { type: 'string', format: 'date-time' };
  const count = { type: 'integer', minimum: 1 };
  return {
    type: 'object',
    description: 'A structured CloudEvent 1.0, as Tocsin relays it',
    required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'position', 'sequence', 'recordedtime'],
    properties: {
      specversion: { const: '1.0' },
      id: { ...text, description: 'Unique within `source`' },
      source: text,
      type: text,
      subject: { ...text, description: 'What it is about, and the unit of order' },
      time: { ...time, description: 'When it became true' },
      datacontenttype: { type: 'string' },
      dataschema: { type: 'string' },
      position: {
        ...count,
        description: 'Place in the log, gapless; equals the stream sequence, also after the broker was lost',
      },
      sequence: { ...count, description: 'Place among the events of its subject, gapless' },
      recordedtime: { ...time, description: 'When it was recorded' },
      episode: { type: 'string', description: 'Shared by the event that opens a trouble and the one that closes it' },
      traceparent: { type: 'string' },
      data: {},
    },
    additionalProperties: { type: ['string', 'number', 'boolean'] },
  };
}

/** A schema as AsyncAPI takes it; the named parts go to the components. */
function hoist(schema: z.ZodType, components: Json): Json {
  const { $schema: _dialect, definitions = {}, ...root } = z.toJSONSchema(schema, { target: 'draft-7', io: 'output' });
  for (const [name, definition] of Object.entries(definitions as Json)) components[name] = moved(definition);
  return moved(root) as Json;
}

/** The same with references to where the named parts are now, and without the ids that would change what references mean. */
function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, part]) => !((key === 'id' || key === '$id') && typeof part === 'string'))
      .map(([key, part]) => [
        key,
        key === '$ref' && typeof part === 'string'
          ? part.replace('#/definitions/', '#/components/schemas/')
          : moved(part),
      ]),
  );
}

function sorted(object: Json): Json {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}
