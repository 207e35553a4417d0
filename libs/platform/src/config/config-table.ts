import type { ConfigFields } from './define-config.js';

/** Markdown table of configuration fields, for the reference in the documentation. */
export function configTable(fields: ConfigFields): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    const notes = [
      field.description,
      ...(field.secret === true ? ['Secret.'] : []),
      ...(field.example === undefined ? [] : [`Example: \`${field.example}\`.`]),
    ];
    return `| \`${name}\` | ${defaultOf(field)} | ${notes.join(' ').replaceAll('|', '\\|')} |`;
  });
  return ['| variable | default | what it is |', '|---|---|---|', ...rows, ''].join('\n');
}

function defaultOf(field: ConfigFields[string]): string {
  if (field.defaultShown !== undefined) return field.defaultShown;
  if (field.default !== undefined) return field.secret === true ? 'secret' : `\`${field.default}\``;
  return field.schema.safeParse(undefined).success ? '–' : '**required**';
}
