import { createProgram } from '@tocsin/tocsin';

/** Where the page of commands stands in the repository. */
export const COMMAND_PAGE_PATH = 'docs/command.md';

type Program = ReturnType<typeof createProgram>;

const HEAD = `# The command

\`tocsin\` runs Tocsin, and is a client of its HTTP API. In the repository: \`node apps/tocsin/dist/main.js\`, or \`npx tocsin\`.

This page is written by \`npm run codegen:command-page\` from what the command itself says; a test holds it up to date.
`;

/** The page: the help of every command, in the order in which the command lists them. */
export function commandPage(): string {
  const program = createProgram('0.0.0');
  const leaves = leavesOf(program);
  const contents = leaves.map(
    (command) => `- [\`${pathOf(command)}\`](#${anchorOf(command)}): ${command.description()}`,
  );
  const sections = leaves.map((command) => `## ${pathOf(command)}\n\n${fenced(helpOf(command))}`);
  return `${[HEAD, contents.join('\n'), `\n${fenced(helpOf(program))}`, ...sections].join('\n')}\n`;
}

function leavesOf(command: Program): Program[] {
  const children = command.commands.filter((child) => !child.name().startsWith('_'));
  return children.length === 0 ? [command] : children.flatMap(leavesOf);
}

function pathOf(command: Program): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function anchorOf(command: Program): string {
  return pathOf(command).replaceAll(' ', '-');
}

function fenced(text: string): string {
  return `\`\`\`\n${text.trim()}\n\`\`\`\n`;
}

/** What `--help` prints, with what stands after it. */
function helpOf(command: Program): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false });
  command.outputHelp();
  return text;
}
