import type { Check, ProbeCheck } from '@tocsin/contracts';
import { parseDuration, type Clock, type ProbeResult, type VoidedProbe } from '@tocsin/domain';
import { Attempt } from './attempt.js';
import { checkDns } from './dns-check.js';
import type { EventLoopGuard } from './event-loop-guard.js';
import { findingOf, type Finding } from './finding.js';
import { checkGrpc } from './grpc-check.js';
import { checkHttp } from './http-check.js';
import { checkIcmp } from './icmp-check.js';
import type { NameResolver } from './name-resolver.js';
import { checkTcp } from './tcp-check.js';
import { checkTls } from './tls-check.js';

/** What checks need of the process they run in. */
export interface ProbeDeps {
  clock: Clock;
  resolver: NameResolver;
  guard: EventLoopGuard;
  /** What HTTP checks call themselves, unless the check says otherwise. Default `tocsin-probe`. */
  userAgent?: string;
  /** Path or name of the helper that sends ICMP; ICMP checks are not made where it is left out. */
  ping?: string;
}

const USER_AGENT = 'tocsin-probe';

/** Share of a check's time the observer may have slept through before a time-out says nothing any more. */
const STALLED_SHARE = 0.1;
/** Shorter stalls do not matter, however short the check's time is. */
const MIN_STALL_MS = 20;

/** Host (and port) a check talks to, as written: what may be in flight at once is counted by it. */
export function peerOf(check: Check): string {
  switch (check.type) {
    case 'http':
      return new URL(check.url).host;
    case 'dns':
      return check.server ?? `the servers of ${check.name}`;
    case 'icmp':
      return check.host;
    case 'heartbeat':
      return check.active === undefined ? 'heartbeats' : peerOf(check.active);
    default:
      return `${check.host}:${check.port}`;
  }
}

/** What is the same at every run of a check, by declaration. */
const limits = new WeakMap<ProbeCheck, { timeoutMs: number; peer: string }>();

function limitsOf(check: ProbeCheck): { timeoutMs: number; peer: string } {
  let known = limits.get(check);
  if (known === undefined) {
    known = { timeoutMs: parseDuration(check.timeout) ?? 0, peer: peerOf(check) };
    limits.set(check, known);
  }
  return known;
}

/**
 * Runs one check on a fresh connection, to its end or its deadline, whichever is first. Never throws: whatever happens is a
 * result. Void where the event loop was blocked while the time ran out. Of a heartbeat: the check that stands in for it; void where there is none.
 */
export function runCheck(check: Check, deps: ProbeDeps): Promise<ProbeResult | VoidedProbe> {
  if (check.type !== 'heartbeat') return runProbe(check, deps);
  if (check.active !== undefined) return runProbe(check.active, deps);
  return Promise.resolve({ kind: 'void', detail: 'a heartbeat is waited for', durationMs: 0 });
}

async function runProbe(check: ProbeCheck, deps: ProbeDeps): Promise<ProbeResult | VoidedProbe> {
  const { timeoutMs, peer } = limitsOf(check);
  const attempt = new Attempt(deps.clock, timeoutMs, peer);
  const stalledBeforeMs = deps.guard.stalledMs();
  const found = await withinTime(dispatch(check, attempt, deps), timeoutMs);
  attempt.end();
  const { durationMs, phasesMs } = attempt;
  if (found !== 'deadline') return { kind: 'result', ...found, durationMs, phasesMs };

  const stalledMs = deps.guard.stalledMs() - stalledBeforeMs;
  if (stalledMs >= Math.max(MIN_STALL_MS, timeoutMs * STALLED_SHARE)) {
    return { kind: 'void', detail: `the observer itself was blocked for ${Math.round(stalledMs)}ms`, durationMs };
  }
  // A resolver that does not answer at all is the observer's own; a server of the name's zone would be reported by it.
  const origin = attempt.phase === 'dns' && check.type !== 'dns' ? 'local' : 'remote';
  const phase = 'deadline';
  return { kind: 'result', outcome: 'fail', origin, phase, detail: attempt.unfinished(), durationMs, phasesMs };
}

async function dispatch(check: ProbeCheck, attempt: Attempt, deps: ProbeDeps): Promise<Finding> {
  const { clock, resolver, userAgent, ping } = deps;
  try {
    switch (check.type) {
      case 'http':
        return await checkHttp(check, attempt, resolver, userAgent ?? USER_AGENT);
      case 'tcp':
        return await checkTcp(check, attempt, resolver);
      case 'grpc':
        return await checkGrpc(check, attempt, resolver);
      case 'tls':
        return await checkTls(check, attempt, resolver, clock.now());
      case 'dns':
        return await checkDns(check, attempt);
      case 'icmp':
        return await checkIcmp(check, attempt, resolver, ping);
    }
  } catch (error) {
    return findingOf(error, attempt);
  }
}

/**
 * What was found, or that the time is over. After the timer has fired the event loop polls its sockets once more before the time
 * counts as over: an answer that was there already wins, however late the timer was.
 */
function withinTime(finding: Promise<Finding>, timeoutMs: number): Promise<Finding | 'deadline'> {
  return new Promise((resolve, reject) => {
    let poll: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      poll = setImmediate(() => resolve('deadline'));
    }, timeoutMs);
    finding.then((found) => {
      clearTimeout(timer);
      if (poll !== undefined) clearImmediate(poll);
      resolve(found);
    }, reject);
  });
}
