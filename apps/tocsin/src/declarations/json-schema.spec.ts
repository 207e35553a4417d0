import { describe, expect, it } from 'vitest';
import { tocsinYamlJsonSchema } from './json-schema.js';

interface Schema {
  properties: Record<string, Schema>;
  items: Schema;
  anyOf: Schema[];
  required: string[];
  pattern?: string;
  additionalProperties: boolean;
  $ref?: string;
  $defs: Record<string, Schema>;
}

describe('the JSON Schema of tocsin.yaml', () => {
  const schema = tocsinYamlJsonSchema() as unknown as Schema;
  const list = (name: string) => schema.properties[name]!.anyOf[0]!.items;

  it('wants a version and knows every field of the frame', () => {
    expect(schema.required).toEqual(['version']);
    expect(Object.keys(schema.properties)).toEqual(['version', 'owner', 'targets', 'subscriptions', 'maintenance']);
    expect(schema.additionalProperties).toBe(false);
  });

  it('knows templates, and wants no field that has a default', () => {
    expect(list('targets').properties).toHaveProperty('each');
    expect(list('targets').required.sort()).toEqual(['check', 'kind', 'name']);
    expect(list('subscriptions').required.sort()).toEqual(['destination', 'name', 'types']);
  });

  it('takes a reference wherever a text must have some form', () => {
    const name = schema.$defs['Name']!;
    const takes = (text: string) => name.anyOf.some(({ pattern }) => new RegExp(pattern!).test(text));
    expect(takes('edge-fra-17')).toBe(true);
    expect(takes('edge-${item}')).toBe(true);
    expect(takes('${env:NAME}')).toBe(true);
    expect(takes('Not A Name')).toBe(false);
    expect(takes('${nonsense}')).toBe(false);
  });
});
