import { spawn } from 'node:child_process';

// Reads what its parent never sends: the end of its input means that the parent is gone, however it ended. The shell is there on every
// system we run on and costs a megabyte, where a second Node would cost forty.
const SCRIPT = `
trap '' HUP INT TERM QUIT
read -r pid || exit 0
while read -r word; do [ "$word" = released ] && exit 0; done
kill -s "$1" "$pid" 2>/dev/null || exit 0
n=0
while [ "$n" -lt "$2" ]; do
  kill -0 "$pid" 2>/dev/null || exit 0
  state=; { read -r _ _ state _ < "/proc/$pid/stat"; } 2>/dev/null
  [ "$state" = Z ] && exit 0
  sleep 0.1
  n=$((n + 1))
done
kill -s KILL "$pid" 2>/dev/null
`;

/** Watches over one server on behalf of this process. */
export interface Guardian {
  /** From now on the server is stopped when this process ends, also when it is killed. */
  watch(pid: number): void;
  /** The server has ended; there is nothing left to watch. */
  release(): void;
}

/**
 * Starts a guardian: a small process of its own session which, when this process ends for whatever reason, sends `stopSignal` to
 * the server, and after `patienceMs` SIGKILL.
 */
export function startGuardian(stopSignal: NodeJS.Signals, patienceMs: number): Guardian {
  const child = spawn(
    '/bin/sh',
    ['-c', SCRIPT, 'tocsin-guardian', stopSignal.slice(3), String(Math.ceil(patienceMs / 100))],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    },
  );
  // A guardian that cannot start or has been killed costs its protection, not the server; the next start clears what it missed.
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.unref();
  // The pipe alone must not keep a finished program alive. Its runtime type is a socket, which the declaration does not say.
  (child.stdin as unknown as { unref(): void }).unref();
  return {
    watch: (pid) => child.stdin.write(`${pid}\n`),
    release: () => child.stdin.end('released\n'),
  };
}
