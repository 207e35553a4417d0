import type { Argument, Command, Option } from 'commander';

/** What may stand where the cursor is. */
export interface Completion {
  /** Words known from the commands themselves. */
  words: string[];
  /** What an argument or option names, where the server or the profiles know the words: `targets`, `subscriptions`, `profiles`. */
  names?: string;
  /** The shell completes a path. */
  files?: boolean;
}

/** What an argument or an option's value names, by how it is called in the help. */
const NAMED: Readonly<Record<string, string>> = {
  profile: 'profiles',
  target: 'targets',
  subscription: 'subscriptions',
  window: 'maintenance',
};
const PATHS = ['file', 'path'];

/**
 * What may follow.
 * @param words what stands after `tocsin`, the last one as far as it has been written
 */
export function completionOf(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  let command = program;
  let given = 0;
  for (let index = 0; index < before.length; index += 1) {
    const word = before[index] ?? '';
    const option = optionOf(command, word);
    if (option !== undefined && option.required) {
      if (index === before.length - 1) return matching(current, valueOf(option));
      index += 1;
      continue;
    }
    if (word.startsWith('-')) continue;
    const child = childOf(command, word);
    if (child === undefined) given += 1;
    else command = child;
  }
  if (current.startsWith('-')) return matching(current, { words: flagsOf(command) });
  const children = command.commands.filter((child) => !isHidden(child)).map((child) => child.name());
  if (children.length > 0) return matching(current, { words: children });
  const argument = command.registeredArguments[given] ?? lastVariadic(command.registeredArguments);
  if (argument === undefined) return { words: [] };
  // `get keys` and `delete keys` name keys; `events get` calls something else a key.
  if (command.name() === 'keys') return { words: [], names: 'keys' };
  return matching(current, expected(argument));
}

function childOf(command: Command, word: string): Command | undefined {
  return command.commands.find((child) => child.name() === word || child.aliases().includes(word));
}

function optionOf(command: Command, word: string): Option | undefined {
  return command.options.find((option) => option.long === word || option.short === word);
}

function isHidden(command: Command): boolean {
  return command.name().startsWith('_');
}

function flagsOf(command: Command): string[] {
  return [...command.options.flatMap((option) => option.long ?? []), '--help'];
}

function lastVariadic(all: readonly Argument[]): Argument | undefined {
  const last = all.at(-1);
  return last?.variadic === true ? last : undefined;
}

function valueOf(option: Option): Completion {
  if (option.argChoices !== undefined) return { words: [...option.argChoices] };
  return named(/<([^>]+)>/.exec(option.flags)?.[1] ?? '', option.attributeName());
}

function expected(argument: Argument): Completion {
  if (argument.argChoices !== undefined) return { words: [...argument.argChoices] };
  return named(argument.name(), '');
}

function named(name: string, attribute: string): Completion {
  if (PATHS.includes(name)) return { words: [], files: true };
  const names = NAMED[name] ?? NAMED[attribute];
  return names === undefined ? { words: [] } : { words: [], names };
}

function matching(current: string, completion: Completion): Completion {
  return { ...completion, words: completion.words.filter((word) => word.startsWith(current)) };
}
