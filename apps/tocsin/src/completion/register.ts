import { Argument, type Command } from 'commander';
import { withExamples } from '../command-line/arguments.js';

/** `completion`, and what its scripts call. */
export function registerCompletion(program: Command): void {
  const completion = program
    .command('completion')
    .description('print the script that completes commands, options and names in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']));
  withExamples(
    completion,
    'source <(tocsin completion bash)',
    'source <(tocsin completion zsh)',
    'tocsin completion fish > ~/.config/fish/completions/tocsin.fish',
  ).action(async (shell: string) => {
    const { completionScript } = await import('./completion-command.js');
    completionScript(shell);
  });

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const { complete } = await import('./completion-command.js');
      await complete(program, words);
    });
}
