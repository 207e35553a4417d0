import { networkInterfaces } from 'node:os';
import { destinationSchema } from '@tocsin/contracts';
import { classifyOutcome, type RecordedEvent } from '@tocsin/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { EgressPolicy } from './egress.js';
import { EventSender } from './event-sender.js';
import { Sender, type SenderOptions } from './sender.js';
import { testAuthority } from './certificates.harness.js';
import { downEvent, upEvent } from './events.harness.js';
import { rawServer } from './raw-server.harness.js';
import { type SmtpServer, smtpServer } from './smtp-server.harness.js';

const authority = testAuthority();
const certificate = authority.issue({ names: ['mail.example.net'] });
const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function server(options: Parameters<typeof smtpServer>[0]): Promise<SmtpServer> {
  const made = await smtpServer(options);
  cleanup.push(() => made.close());
  return made;
}
/** The name `mail.example.net` leads to loopback here, as everything does. */
function eventSender(options: Partial<SenderOptions> = {}): EventSender {
  const resolver = { resolve: () => Promise.resolve(['127.0.0.1']) };
  const sender = new Sender({ egress: EgressPolicy.parse('loopback'), resolver, ca: [authority.cert], ...options });
  cleanup.push(() => sender.close());
  return new EventSender({ sender });
}
function mail(from: EventSender, url: string, event: RecordedEvent = downEvent, deadlineMs = 3_000) {
  const destination = destinationSchema.parse({
    kind: 'email',
    url,
    from: 'tocsin@example.net',
    to: ['ops@example.net', 'b@example.net'],
  });
  return from.send({ destination, event, secrets: [], deadlineMs });
}

describe('email', () => {
  it('hands in a mail that says what happened', async () => {
    const smtp = await server({});
    const outcome = await mail(eventSender(), `smtp://127.0.0.1:${smtp.port}`);
    expect(outcome).toMatchObject({
      kind: 'response',
      status: 250,
      bodyHead: '250 queued as 42',
      address: `127.0.0.1:${smtp.port}`,
    });
    expect(classifyOutcome(outcome)).toBe('success');
    const [{ from, to, data }] = smtp.mails as [SmtpServer['mails'][0]];
    expect(from).toContain('<tocsin@example.net>');
    expect(to.join()).toMatch(/<ops@example\.net>.*<b@example\.net>/);
    expect(data).toContain('Subject: DOWN node edge-fra-17\r\n');
    expect(data).toContain(`Message-ID: <${downEvent.id}@example.net>`);
    expect(data).toContain('Auto-Submitted: auto-generated');
    expect(data).toContain('connection refused at 10.0.0.7:443 <tcp>');
    expect(data).toContain('Labels: site=fra, role=edge');
  });

  it('puts down and up into one thread', async () => {
    const smtp = await server({});
    const from = eventSender();
    for (const event of [downEvent, upEvent]) await mail(from, `smtp://127.0.0.1:${smtp.port}`, event);
    const references = smtp.mails.map(({ data }) => /^References: (.+)\r$/m.exec(data)?.[1]);
    expect(references[0]).toMatch(/^<[0-9a-f]{32}@example\.net>$/);
    expect(references[1]).toBe(references[0]);
  });

  it('logs in over implicit TLS, the certificate checked against the name', async () => {
    const smtp = await server({ certificate, implicitTls: true });
    const outcome = await mail(eventSender(), `smtps://us%40er:p%3Ass@mail.example.net:${smtp.port}`);
    expect(outcome).toMatchObject({ status: 250 });
    expect(smtp.mails[0]).toMatchObject({ encrypted: true, auth: '\0us@er\0p:ss' });
    const stranger = await server({
      certificate: testAuthority().issue({ names: ['mail.example.net'] }),
      implicitTls: true,
    });
    expect(await mail(eventSender(), `smtps://mail.example.net:${stranger.port}`)).toMatchObject({
      kind: 'error',
      errorClass: 'tls',
    });
    const other = await server({ certificate: authority.issue({ names: ['other.example.net'] }), implicitTls: true });
    expect(await mail(eventSender(), `smtps://mail.example.net:${other.port}`)).toMatchObject({
      kind: 'error',
      errorClass: 'tls',
    });
    expect([...stranger.mails, ...other.mails]).toEqual([]);
  });

  it('upgrades by STARTTLS where the server is not on this machine, and sends nothing if it cannot', async () => {
    // An address of this machine that is not loopback stands for another one.
    const address = Object.values(networkInterfaces())
      .flat()
      .find((candidate) => candidate?.family === 'IPv4' && !candidate.internal)?.address;
    expect(address, 'this test needs a network interface besides loopback').toBeDefined();
    const from = () =>
      eventSender({
        egress: EgressPolicy.parse(`${address}/32`),
        resolver: { resolve: () => Promise.resolve([address!]) },
      });
    const url = ({ port }: SmtpServer) => `smtp://mail.example.net:${port}`;
    const good = await server({ certificate, starttls: true, host: '0.0.0.0' });
    expect(await mail(from(), url(good))).toMatchObject({ status: 250 });
    expect(good.mails[0]).toMatchObject({ encrypted: true });
    const plain = await server({ host: '0.0.0.0' });
    expect(await mail(from(), url(plain))).toMatchObject({ kind: 'error', errorClass: 'tls' });
    const stranger = await server({
      certificate: testAuthority().issue({ names: ['mail.example.net'] }),
      starttls: true,
      host: '0.0.0.0',
    });
    expect(await mail(from(), url(stranger))).toMatchObject({ kind: 'error', errorClass: 'tls' });
    expect([...plain.mails, ...stranger.mails]).toEqual([]);
  });

  it.each<[string, Record<string, string>, string, number]>([
    ['asks for patience', { RCPT: '451 4.3.0 try again later' }, 'retry', 451],
    ['knows no such mailbox', { RCPT: '550 5.1.1 no such user' }, 'retry-limited', 550],
    ['refuses the mail', { DATA: '554 5.7.1 spam' }, 'retry-limited', 554],
    ['refuses the login', { AUTH: '535 5.7.8 bad credentials' }, 'auth', 535],
    ['is not open', { GREETING: '421 4.3.2 closing' }, 'retry', 421],
  ])('a server that %s', async (_what, replies, verdict, status) => {
    const smtp = await server({ replies });
    const outcome = await mail(eventSender(), `smtp://u:p@127.0.0.1:${smtp.port}`);
    expect(outcome).toMatchObject({ kind: 'response', status });
    expect(classifyOutcome(outcome)).toBe(verdict);
  });

  it('a server that hangs frees the slot by the deadline', async () => {
    const hanging = await rawServer(() => undefined, { onConnection: (socket) => socket.resume() });
    cleanup.push(() => hanging.close());
    const outcome = await mail(eventSender(), `smtp://127.0.0.1:${hanging.port}`, downEvent, 500);
    expect(outcome).toMatchObject({ kind: 'error', errorClass: 'timeout' });
    expect(outcome.phasesMs.total).toBeLessThan(900);
    await expect.poll(() => hanging.open()).toBe(0);
  });

  it('a server that is gone, or breaks off', async () => {
    const smtp = await server({});
    await smtp.close();
    cleanup.pop();
    expect(await mail(eventSender(), `smtp://127.0.0.1:${smtp.port}`)).toMatchObject({
      errorClass: 'refused',
      phase: 'connect',
    });
    const closing = await rawServer(() => undefined, { onConnection: (socket) => socket.end() });
    cleanup.push(() => closing.close());
    expect(await mail(eventSender(), `smtp://127.0.0.1:${closing.port}`)).toMatchObject({
      kind: 'error',
      errorClass: 'reset',
    });
  });

  it('goes nowhere the policy forbids, in whatever spelling', async () => {
    const smtp = await server({});
    const guarded = () => eventSender({ egress: EgressPolicy.parse('public') });
    for (const host of ['127.0.0.1', '0x7f.1', '2130706433', 'localhost', 'mail.example.net', '[::ffff:127.0.0.1]']) {
      expect(await mail(guarded(), `smtp://${host}:${smtp.port}`)).toMatchObject({ errorClass: 'egress-blocked' });
    }
    expect(smtp.mails).toEqual([]);
  });
});
