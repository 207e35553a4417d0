import { type Command, InvalidArgumentError, Option } from 'commander';

/** Which server, as every client command takes it. */
export interface ServerOptions {
  url?: string;
  profile?: string;
}

/** Adds `--url` and `--profile`. */
export function withServer(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'where Tocsin listens'))
    .addOption(new Option('--profile <name>', 'a server of `tocsin profiles`'));
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON, for programs');
}

/** Adds examples below the help. */
export function withExamples(command: Command, ...examples: string[]): Command {
  return command.addHelpText('after', ['', 'Examples:', ...examples.map((line) => `  ${line}`)].join('\n'));
}

/** Parses a whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** Parses a position of the log; 0 stands before the first event. */
export const position = wholeNumber(0, Number.MAX_SAFE_INTEGER);

/** Collects an option that may be given several times, or as a list with commas. */
export function list(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...text.split(',').map((part) => part.trim())].filter((part) => part !== '');
}

/** Parses an http or https URL. */
export function httpUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new InvalidArgumentError('It must be an absolute http or https URL.');
  }
  return text;
}
