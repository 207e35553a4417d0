import { z } from 'zod';
import { timestampSchema } from './primitives.js';

/** Attributes that only Tocsin sets; a producer that sends them is told so. */
const ASSIGNED = ['position', 'sequence', 'recordedtime'];
const ATTRIBUTE_NAME = /^[a-z0-9]{1,20}$/;
const KNOWN = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'data_base64',
]);

/** A CloudEvent 1.0 in the JSON format, as producers send it. */
export const incomingCloudEventSchema = z
  .looseObject({
    specversion: z.literal('1.0', { error: 'must be "1.0"' }),
    id: z.string().min(1).max(256),
    source: z.string().min(1).max(1024),
    type: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/, 'must be dot-separated segments of letters, digits, "_" and "-"'),
    subject: z.string().min(1).max(1024).optional(),
    time: timestampSchema.optional(),
    datacontenttype: z.string().max(256).optional(),
    dataschema: z.string().max(2048).optional(),
    // What is parsed JSON needs no proof that it is.
    data: z.unknown().optional(),
    data_base64: z.undefined({ error: 'binary data is not accepted: send JSON in "data"' }).optional(),
  })
  .superRefine((event, context) => {
    for (const [name, value] of Object.entries(event)) {
      if (KNOWN.has(name)) continue;
      if (ASSIGNED.includes(name)) {
        context.addIssue({ code: 'custom', path: [name], message: 'is assigned by Tocsin; leave it out' });
      } else if (!ATTRIBUTE_NAME.test(name)) {
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'extension names are 1 to 20 lower-case letters and digits',
        });
      } else if (!['string', 'number', 'boolean'].includes(typeof value)) {
        context.addIssue({ code: 'custom', path: [name], message: 'an extension is a string, a number or a boolean' });
      }
    }
  })
  .meta({ id: 'IncomingCloudEvent' });
export type IncomingCloudEvent = z.infer<typeof incomingCloudEventSchema>;
