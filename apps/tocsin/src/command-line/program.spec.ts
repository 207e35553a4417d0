import { CommanderError, type Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { serverIn } from '../completion/completion-command.js';
import { completionOf } from '../completion/complete.js';
import { createProgram } from './program.js';

function leaves(command: Command): Command[] {
  const children = command.commands.filter((child) => !child.name().startsWith('_'));
  return children.length === 0 ? [command] : children.flatMap(leaves);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** The help as it is printed, with what is added after it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

const all = leaves(createProgram('1.2.3')).filter((command) => command.name() !== 'help');

describe('the command line', () => {
  it.each(all.map((command) => [pathOf(command), command] as const))(
    '%s has a description and examples',
    (path, command) => {
      expect(command.description()).not.toBe('');
      const [, examples = ''] = helpOf(command).split('\nExamples:\n');
      expect(examples).toContain(path.replace(/ (?:bash|zsh|fish)$/, ''));
    },
  );

  const READING = [
    'plan',
    'apply',
    'get',
    'events list',
    'events tail',
    'deliveries list',
    'deliveries get',
    'deliveries parked',
    'status',
    'fleet',
    'withheld',
    'verify',
    'doctor',
    'profiles list',
  ];
  it.each(READING)('%s can be read by programs', (path) => {
    for (const command of all.filter((one) => pathOf(one).startsWith(`tocsin ${path}`))) {
      expect(
        command.options.map(({ long }) => long),
        pathOf(command),
      ).toContain('--json');
    }
  });

  it('loads nothing of the services to print its help', () => {
    expect(helpOf(createProgram('1.2.3'))).toContain('Which server, and as whom:');
  });

  it.each([
    [['nonsense'], 'commander.unknownCommand'],
    [['get', 'targets', '--nonsense'], 'commander.unknownOption'],
    [['events', 'list', '--limit', '0'], 'commander.invalidArgument'],
    [['deliveries', 'list', '--state', 'lost'], 'commander.invalidArgument'],
    [['fleet', '--at', 'yesterday'], 'commander.invalidArgument'],
    [['withheld', '--because', 'rain'], 'commander.invalidArgument'],
    [['doctor', 'ftp://x/'], 'commander.invalidArgument'],
    [['delete', 'targets'], 'commander.missingArgument'],
    [['completion', 'csh'], 'commander.invalidArgument'],
  ])('%j is refused before anything is done', async (args, code) => {
    const program = createProgram('1.2.3');
    const quiet = (command: Command): void => {
      command.exitOverride().configureOutput({ writeErr: () => undefined });
      command.commands.forEach(quiet);
    };
    quiet(program);
    const error = await program.parseAsync(args, { from: 'user' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommanderError);
    expect((error as CommanderError).code).toBe(code);
  });
});

describe('completion', () => {
  const complete = (...words: string[]) => completionOf(createProgram('1.2.3'), words);

  it.each([
    [[''], expect.arrayContaining(['up', 'apply', 'get', 'events', 'completion'])],
    [['ev'], ['events']],
    [
      ['events', ''],
      ['list', 'get', 'show', 'tail'],
    ],
    [['event'], ['events']],
    [['get', 'targets', '--js'], ['--json']],
    [
      ['deliveries', 'list', '--state', ''],
      ['delivered', 'pending', 'superseded', 'dead'],
    ],
    [
      ['deliveries', 'list', '--state', 'de'],
      ['delivered', 'dead'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['events', 'list', '--limit', ''], []],
  ])('of %j', (words, expected) => {
    expect(complete(...words).words).toEqual(expected);
  });

  it('never offers what is hidden', () => {
    expect(complete('').words.filter((word) => word.startsWith('_'))).toEqual([]);
  });

  it.each([
    [['get', 'targets', ''], 'targets'],
    [['get', 'target', 'ed'], 'targets'],
    [['delete', 'subscriptions', 'a', ''], 'subscriptions'],
    [['subscriptions', 'pause', ''], 'subscriptions'],
    [['get', 'targets', '--url', 'http://x', ''], 'targets'],
    [['get', 'targets', '--profile', ''], 'profiles'],
    [['deliveries', 'list', '--subscription', ''], 'subscriptions'],
    [['profiles', 'use', ''], 'profiles'],
    [['delete', 'maintenance', ''], 'maintenance'],
    [['get', 'keys', ''], 'keys'],
  ])('of %j asks for the names of %s', (words, names) => {
    expect(complete(...words)).toMatchObject({ names });
  });

  it('asks the server that the line names', () => {
    expect(serverIn(['get', 'targets', '--profile', 'prod', 'e'])).toEqual({ profile: 'prod' });
    expect(serverIn(['get', 'targets', '--url=http://x', '--profile=prod', ''])).toEqual({
      ...{ url: 'http://x', profile: 'prod' },
    });
    expect(serverIn(['get', 'targets', ''])).toEqual({});
  });

  it('of --file is a path', () => {
    expect(complete('apply', '--file', '')).toMatchObject({ files: true });
  });
});
