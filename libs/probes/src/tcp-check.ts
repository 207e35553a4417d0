import type { TcpCheck } from '@tocsin/contracts';
import type { Attempt } from './attempt.js';
import { openConnection } from './connection.js';
import { passed, type Finding } from './finding.js';
import type { NameResolver } from './name-resolver.js';

/** Connects, and that is a pass. */
export async function checkTcp(check: TcpCheck, attempt: Attempt, resolver: NameResolver): Promise<Finding> {
  await openConnection(check.host, check.port, attempt, resolver);
  return passed(`connected to ${attempt.peer}`);
}
