import { spawn, type ChildProcess } from 'node:child_process';
import type { IcmpCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { failed, passed, type Finding } from './finding.js';
import { codeOf } from './local-fault.js';
import type { NameResolver } from './name-resolver.js';

/** Exit codes of `ping` of iputils: nobody answered; anything else is trouble of its own. */
const ANSWERED = 0;
const UNANSWERED = 1;

/** How long the trial of the helper may take. */
const TRIAL_MS = 2_000;

/**
 * Sends one ICMP echo request through `ping`, which has the right to: raw sockets are not for a process that reads what strangers send.
 * @param ping path or name of the helper; undefined where this observer makes no ICMP checks
 */
export async function checkIcmp(
  check: Pick<IcmpCheck, 'host'>,
  attempt: Attempt,
  resolver: NameResolver,
  ping: string | undefined,
): Promise<Finding> {
  if (ping === undefined) return own('this observer makes no ICMP checks (TOCSIN_ICMP)');
  const [address] = await resolver.resolve(check.host);
  if (address === undefined) return failed('dns', `${check.host} has no address`);
  attempt.peer = address;
  attempt.enter('request');
  const code = await echo(ping, address, attempt);
  if (code === ANSWERED) return passed(`${address} answers an echo request`);
  if (code === UNANSWERED) return failed('request', `${address} does not answer an echo request`);
  return own(`${ping} cannot send an echo request to ${address} (${code})`);
}

/**
 * Tries the helper on this machine itself.
 * @returns why no ICMP check can be made; undefined where it can
 */
export async function icmpFault(ping: string): Promise<string | undefined> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TRIAL_MS);
  try {
    const code = await exitOf(start(ping, '127.0.0.1', TRIAL_MS), (child) => {
      abort.signal.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
    });
    return code === ANSWERED ? undefined : `${ping} does not reach this machine itself (${code})`;
  } finally {
    clearTimeout(timer);
  }
}

function echo(ping: string, address: string, attempt: Attempt): Promise<number | string> {
  return exitOf(start(ping, address, attempt.remainingMs), (child) => {
    attempt.hold({ destroy: () => child.kill('SIGKILL') });
  });
}

/** One request, no look-up of names, an end of its own; the check's deadline kills whatever ignores that. */
function start(ping: string, address: string, remainingMs: number): ChildProcess {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1_000));
  return spawn(ping, ['-n', '-q', '-c', '1', '-W', String(seconds), address], { stdio: 'ignore' });
}

/** Exit code, the signal that ended it, or the system's error where it could not be started. */
function exitOf(child: ChildProcess, onStarted: (child: ChildProcess) => void): Promise<number | string> {
  onStarted(child);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(codeOf(error)));
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 'gone'));
  });
}

function own(detail: string): Finding {
  return { outcome: 'fail', origin: 'local', phase: 'request', detail };
}
