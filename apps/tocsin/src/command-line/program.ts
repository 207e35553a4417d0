import { Command } from 'commander';
import { registerCompletion } from '../completion/register.js';
import { registerDeclarations } from '../declarations/register.js';
import { registerDeclared } from '../declared/register.js';
import { registerDeliveries } from '../deliveries/register.js';
import { registerDoctor } from '../doctor/register.js';
import { registerEvents } from '../events/register.js';
import { registerExplain } from '../explain/register.js';
import { registerFleet } from '../fleet/register.js';
import { registerKeys } from '../keys/register.js';
import { registerRegistry } from '../registry/register.js';
import { registerProfiles } from '../server/register.js';
import { registerStatus } from '../status/register.js';
import { registerSubscriptions } from '../subscriptions/register.js';
import { registerUp } from '../up/register.js';
import { registerVerify } from '../verify/register.js';

const CONNECTION_HELP = `
Which server, and as whom:
  --url, or --profile, or TOCSIN_URL, or the profile in use, or http://127.0.0.1:7070.
  The key: TOCSIN_API_KEY, or the profile's, or for this machine .tocsin/api-key.

Exit codes: 0 it went well, 1 it failed or does not hold, 2 the command line is wrong.
NO_COLOR and FORCE_COLOR are respected.`;

/** Columns of the help, whatever the terminal has: it also stands in the documentation. */
const HELP_WIDTH = 100;

/**
 * The whole command line. What a command needs is loaded when it runs: the services take longer to load than a client command takes to
 * finish.
 */
export function createProgram(version: string): Command {
  const program = new Command('tocsin')
    .description('Confirms a state change once, records it, and delivers that signal to everybody who subscribed.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    // What stands behind `verify log` is the option of `log`, though `verify` has one of the same name.
    .enablePositionalOptions()
    .configureHelp({ helpWidth: HELP_WIDTH, sortSubcommands: false })
    .showHelpAfterError('(add --help to see how it is used)')
    .addHelpText('after', CONNECTION_HELP);
  program.commandsGroup('Run:');
  registerUp(program);
  program.commandsGroup('Declare who watches what and who is told:');
  registerDeclarations(program);
  registerDeclared(program);
  registerSubscriptions(program);
  registerKeys(program);
  program.commandsGroup('See what happened:');
  registerStatus(program);
  registerFleet(program);
  registerExplain(program);
  registerEvents(program);
  registerDeliveries(program);
  program.commandsGroup('Prove it:');
  registerVerify(program);
  registerDoctor(program);
  registerRegistry(program);
  program.commandsGroup('Set up:');
  registerProfiles(program);
  registerCompletion(program);
  settle(program);
  return program;
}

/** Commander copies settings to subcommands at the moment they are made; the help's width has to reach all of them. */
function settle(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    child.helpOption('-h, --help', 'print help');
    child.helpCommand(false);
    settle(child);
  }
}
