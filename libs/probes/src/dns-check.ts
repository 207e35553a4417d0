import { Resolver } from 'node:dns/promises';
import type { DnsCheck } from '@tocsin/contracts';
import type { DnsAnswer } from '@tocsin/domain';
import type { Attempt } from './attempt.js';
import { failed, passed, type Finding } from './finding.js';
import { codeOf, isLocalFault } from './local-fault.js';

/** c-ares waits this long before it asks again; the check's own deadline ends it all. */
const QUERY_TIMEOUT_MS = 1_000;
/** What c-ares makes of a server's code (RFC 1035 § 4.1.1). `ENODATA`: the name is there, and has no such record. */
const RCODES: Readonly<Record<string, string>> = {
  ENODATA: 'NOERROR',
  ENOTFOUND: 'NXDOMAIN',
  ESERVFAIL: 'SERVFAIL',
  EREFUSED: 'REFUSED',
  EFORMERR: 'FORMERR',
  ENOTIMP: 'NOTIMP',
};
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
  const dns: DnsAnswer = { rcode: 'NOERROR', answers: answers.toSorted() };
  return { ...judge(check, answers), dns };
}

function judge(check: DnsCheck, answers: readonly string[]): Finding {
  const what = `${check.name} ${check.record}`;
  const given = answers.join(', ');
  if (check.rcode !== 'NOERROR') return failed('assert', `${what} is ${given}, expected ${check.rcode}`);
  const wanted = check.expect ?? [];
  const missing = wanted.filter((one) => !answers.includes(one));
  if (check.match === 'any' && wanted.length > 0 && missing.length === wanted.length) {
    return failed('assert', `${what} is ${given}, none of ${wanted.join(', ')}`);
  }
  if (check.match !== 'any' && missing.length > 0) {
    return failed('assert', `${what} is ${given}, not ${missing.join(', ')}`);
  }
  const others = answers.filter((one) => !wanted.includes(one));
  if (check.match === 'exact' && wanted.length > 0 && others.length > 0) {
    return failed('assert', `${what} is also ${others.join(', ')}`);
  }
  return passed(`${what} ${given}`);
}

function unanswered(check: DnsCheck, code: string): Finding {
  const what = `${check.name} ${check.record}`;
  const rcode = RCODES[code];
  const dns = rcode === undefined ? {} : { dns: { rcode, answers: [] } satisfies DnsAnswer };
  // An answer without the record is none where one is wanted, whatever its code.
  if (rcode === check.rcode && code !== 'ENODATA') return { ...passed(`${check.name} ${rcode}, as expected`), ...dns };
  if (code === 'ENOTFOUND') return { ...failed('dns', `${check.name} does not exist`), ...dns };
  if (code === 'ENODATA') return { ...failed('dns', `${what} has no answer`), ...dns };
  if (isLocalFault(code) || (check.server === undefined && NO_SERVER.has(code))) {
    const detail = `own resolver cannot answer for ${what} (${code})`;
    return { outcome: 'fail', origin: 'local', phase: 'dns', detail };
  }
  return { ...failed('dns', `${check.server ?? 'the resolver'} does not answer for ${what} (${code})`), ...dns };
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
