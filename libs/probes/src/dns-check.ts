import { Resolver } from 'node:dns/promises';
import type { DnsCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { failed, passed, type Finding } from './finding.js';
import { codeOf, isLocalFault } from './local-fault.js';

/** c-ares waits this long before it asks again; the check's own deadline ends it all. */
const QUERY_TIMEOUT_MS = 1_000;
/** The way to the server is broken: of the observer's own resolver that says nothing about the name. */
const NO_SERVER: ReadonlySet<string> = new Set(['ETIMEOUT', 'ECONNREFUSED', 'ESERVFAIL', 'EREFUSED']);

/** Asks a server for a name, past every cache of ours. */
export async function checkDns(check: DnsCheck, attempt: Attempt): Promise<Finding> {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
  if (check.server !== undefined) resolver.setServers([check.server]);
  attempt.hold({ destroy: () => resolver.cancel() });
  let answers: string[];
  try {
    answers = await ask(resolver, check);
  } catch (error) {
    return unanswered(check, codeOf(error));
  }
  attempt.enter('assert');
  const missing = (check.expect ?? []).filter((wanted) => !answers.includes(wanted));
  if (missing.length === 0) return passed(`${check.name} ${check.record} ${answers.join(', ')}`);
  return failed('assert', `${check.name} ${check.record} is ${answers.join(', ')}, not ${missing.join(', ')}`);
}

function unanswered(check: DnsCheck, code: string): Finding {
  const what = `${check.name} ${check.record}`;
  if (code === 'ENOTFOUND') return failed('dns', `${check.name} does not exist`);
  if (code === 'ENODATA') return failed('dns', `${what} has no answer`);
  if (isLocalFault(code) || (check.server === undefined && NO_SERVER.has(code))) {
    return {
      outcome: 'fail',
      origin: 'local',
      phase: 'dns',
      detail: `own resolver cannot answer for ${what} (${code})`,
    };
  }
  return failed('dns', `${check.server ?? 'the resolver'} does not answer for ${what} (${code})`);
}

async function ask(resolver: Resolver, { name, record }: DnsCheck): Promise<string[]> {
  switch (record) {
    case 'A':
      return resolver.resolve4(name);
    case 'AAAA':
      return resolver.resolve6(name);
    case 'CNAME':
      return resolver.resolveCname(name);
    case 'NS':
      return resolver.resolveNs(name);
    case 'MX':
      return (await resolver.resolveMx(name)).map((mx) => `${mx.priority} ${mx.exchange}`);
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((chunks) => chunks.join(''));
  }
}
