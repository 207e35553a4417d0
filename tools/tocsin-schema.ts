import { tocsinYamlJsonSchema } from '@tocsin/tocsin';

/** Where the JSON Schema of `tocsin.yaml` stands in the repository. */
export const TOCSIN_SCHEMA_PATH = 'docs/tocsin.schema.json';

/** The file's text. */
export function tocsinSchemaText(): string {
  return `${JSON.stringify(tocsinYamlJsonSchema(), undefined, 2)}\n`;
}
