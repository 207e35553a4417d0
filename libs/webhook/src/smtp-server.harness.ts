import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { TestCertificate } from './certificates.harness.js';

/** What a mail server took, or was asked. */
export interface SmtpServer {
  port: number;
  mails: { from: string; to: string[]; data: string; encrypted: boolean; auth: string | undefined }[];
  close(): Promise<void>;
}

/** As much of RFC 5321 as a submission needs; `replies` overrides the answer to a command. */
export async function smtpServer(
  options: {
    certificate?: TestCertificate;
    starttls?: boolean;
    implicitTls?: boolean;
    host?: string;
    replies?: Record<string, string>;
  } = {},
): Promise<SmtpServer> {
  const mails: SmtpServer['mails'] = [];
  const sockets = new Set<Socket>();
  const secured = (socket: Socket): TLSSocket =>
    new TLSSocket(socket, { isServer: true, ...options.certificate }).on('error', () => undefined);

  const converse = (socket: Socket, encrypted: boolean, greet: boolean): void => {
    let held = '';
    let mail = { from: '', to: [] as string[] };
    let auth: string | undefined;
    let inData = false;
    const say = (text: string): void => void socket.write(`${text}\r\n`);
    const command = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase();
      const override = options.replies?.[verb];
      if (override !== undefined) return say(override);
      if (verb === 'EHLO') {
        const features = [
          'test',
          'AUTH PLAIN',
          ...(options.starttls === true && !encrypted ? ['STARTTLS'] : []),
          '8BITMIME',
        ];
        return say(
          features.map((feature, index) => `250${index === features.length - 1 ? ' ' : '-'}${feature}`).join('\r\n'),
        );
      }
      if (verb === 'STAR' && options.starttls === true) {
        say('220 go ahead');
        socket.removeListener('data', onData);
        return converse(secured(socket), true, false);
      }
      if (verb === 'AUTH') {
        auth = Buffer.from(line.split(' ')[2] ?? '', 'base64').toString('utf8');
        return say('235 ok');
      }
      if (verb === 'STAR') return say('502 no such command');
      if (verb === 'MAIL') mail = { from: line, to: [] };
      if (verb === 'RCPT') mail.to.push(line);
      if (verb === 'DATA') {
        inData = true;
        return say('354 go ahead');
      }
      if (verb === 'QUIT') return void socket.end('221 bye\r\n');
      return say('250 ok');
    };
    const onData = (chunk: Buffer): void => {
      held += chunk.toString('utf8');
      for (;;) {
        const end = held.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const part = held.slice(0, end);
        held = held.slice(end + (inData ? 5 : 2));
        if (inData) {
          inData = false;
          mails.push({ ...mail, data: part, encrypted, auth });
          say('250 queued as 42');
        } else command(part);
      }
    };
    socket.on('data', onData);
    if (greet) say(options.replies?.['GREETING'] ?? '220 test ESMTP');
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    if (options.implicitTls === true) converse(secured(socket), true, true);
    else converse(socket, false, true);
  });
  server.listen(0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
