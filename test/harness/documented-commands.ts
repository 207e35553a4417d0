/** A command that a page of the documentation shows, and what it says the command prints. */
export interface DocumentedCommand {
  /** As it stands in the page, without `$ `. */
  command: string;
  output: string;
  /** Where the block's content stands in the text. */
  from: number;
  to: number;
}

const BLOCK = /^```console\n(\$ (.+)\n([\s\S]*?))^```$/gm;

/** Every block ```` ```console ```` of a page whose first line is a command. */
export function documentedCommands(page: string): DocumentedCommand[] {
  return [...page.matchAll(BLOCK)].map((match) => {
    const [, content = '', command = '', output = ''] = match;
    const from = match.index + '```console\n'.length;
    return { command, output, from, to: from + content.length };
  });
}

/** The words of a command line; quotes hold together what belongs together. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/**
 * What is the same in every run: times, ids, positions, ports and durations differ, and the width of columns with them.
 */
export function shapeOf(output: string): string {
  return output
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b(?:evt|ep|obs)_[0-9a-f-]{36}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{32}\b/g, 'TRACE')
    .replaceAll(/\d+(?:\.\d+)?/g, 'N')
    .replaceAll(/[ \t]+/g, ' ')
    .trim();
}

/** The page with other commands and outputs in its blocks, in the order in which they stand. */
export function withCommands(page: string, found: readonly DocumentedCommand[]): string {
  let text = '';
  let end = 0;
  for (const { command, output, from, to } of found) {
    text += `${page.slice(end, from)}$ ${command}\n${output}`;
    end = to;
  }
  return text + page.slice(end);
}
