import type { ConfigFields } from './define-config.js';

/** Environment file with every field: those with a default commented out, those that must be set filled with their example. */
export function configExample(fields: ConfigFields): string {
  return Object.entries(fields)
    .map(([name, field]) => {
      const required = field.default === undefined && !field.schema.safeParse(undefined).success;
      const sameEverywhere = field.defaultShown === undefined ? field.default : undefined;
      const value = sameEverywhere ?? field.example ?? '';
      return `# ${field.description}\n${required ? '' : '# '}${name}=${value}\n`;
    })
    .join('\n');
}
