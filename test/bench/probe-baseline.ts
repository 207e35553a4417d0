import { connect } from 'node:net';

// The least a check can cost: a fresh connection, one GET, the answer read to its end, with nothing but node:net.

/** One raw GET. */
function get(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    socket.on('connect', () => socket.write(`GET /0 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    socket.on('data', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

/** CPU microseconds of one raw GET, in this process, over `count` of them, at the pace of an observer: some at once, then a pause. */
export async function rawGetCpuUs(port: number, count: number): Promise<number> {
  const round = async () => Promise.all(Array.from({ length: 10 }, (_, index) => get(`127.0.1.${index + 1}`, port)));
  for (let done = 0; done < 1_000; done += 10) await round();
  const before = process.cpuUsage();
  for (let done = 0; done < count; done += 10) {
    await round();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
