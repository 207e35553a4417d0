import { type Command, CommanderError } from 'commander';
import { EXIT, UsageError } from './exit.js';
import { note } from './output.js';
import { createProgram } from './program.js';

/**
 * Runs one command line.
 * @param args what stands after `tocsin`
 * @returns the exit code; a command that goes on, such as `up`, has none yet
 */
export async function run(args: readonly string[], version: string): Promise<number | undefined> {
  const program = createProgram(version);
  let called = program;
  exitByError(program);
  program.hook('preAction', (_program, command) => {
    called = command;
  });
  if (args.length === 0) {
    program.outputHelp();
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    // Commander has said what is wrong by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { failureLines } = await import('./failure.js');
    for (const line of failureLines(pathOf(called), error)) note(line);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

function exitByError(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) exitByError(child);
}

function pathOf(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one !== null; one = one.parent) names.unshift(one.name());
  return names.join(' ');
}
