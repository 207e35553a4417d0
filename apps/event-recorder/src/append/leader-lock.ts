import { SessionLock } from '@tocsin/postgres';
import type { LeaderParts } from './append-leader.js';
import type { SuccessionParts } from './succession.js';

/** Key of the advisory lock: one leader per database. The bytes of "tcn-lead". */
const LEADER_LOCK_KEY = 0x74_63_6e_2d_6c_65_61_64n;

/**
 * The server ends the holder's session when it has heard nothing for so long, in milliseconds. The holder asks it every 400 ms; one
 * that does not (stopped, swapped out, its event loop stuck, its line dead without a word) must not keep the log closed for everybody.
 * With a standby's next look at the lock this stays below the two seconds a takeover may take.
 */
const SILENCE_MS = 1_400;

/** Key of the lock of a standby that has NATS. The bytes of "tcn-next". */
const STANDBY_LOCK_KEY = 0x74_63_6e_2d_6e_65_78_74n;

/** The lock that makes the leader of the log, as {@link LeaderParts.acquire}. */
export function leaderLock(url: string, applicationName: string): LeaderParts['acquire'] {
  return lock(url, `${applicationName} leader`, LEADER_LOCK_KEY);
}

/** The lock of a standby that has NATS, as {@link SuccessionParts.acquire}. */
export function standbyLock(url: string, applicationName: string): SuccessionParts['acquire'] {
  return lock(url, `${applicationName} standby`, STANDBY_LOCK_KEY);
}

function lock(url: string, applicationName: string, key: bigint): LeaderParts['acquire'] {
  return (onLost) =>
    SessionLock.tryAcquire({
      url: withSetting(url, 'idle_session_timeout', SILENCE_MS),
      applicationName,
      key,
      onLost,
    });
}

/** Adds a server setting to a connection string, beside those that stand in it already. */
function withSetting(url: string, name: string, value: number): string {
  const parsed = new URL(url);
  const others = parsed.searchParams.get('options') ?? '';
  parsed.searchParams.set('options', `${others} -c ${name}=${value}`.trim());
  return parsed.href;
}
