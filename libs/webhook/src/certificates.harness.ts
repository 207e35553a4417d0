import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate made for one test run, PEM. */
export interface TestCertificate {
  cert: string;
  key: string;
}

/** An authority that signs certificates for tests, so that no key lies in the repository. */
export interface TestAuthority extends TestCertificate {
  issue(options: { names: readonly string[]; notAfter?: Date }): TestCertificate;
}

const HOUR_MS = 3_600_000;

/** Makes an authority valid for a day around now. */
export function testAuthority(commonName = 'Tocsin test authority'): TestAuthority {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { commonName, key: pair.privateKey };
  const cert = certificate({ commonName, publicKey: pair.publicKey, issuer, ca: true, names: [] });
  return {
    cert,
    key: pem(pair.privateKey),
    issue({ names, notAfter }) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const subject = { commonName: names[0] ?? 'nobody', publicKey: own.publicKey, names, ca: false };
      return {
        cert: certificate({ ...subject, issuer, ...(notAfter === undefined ? {} : { notAfter }) }),
        key: pem(own.privateKey),
      };
    },
  };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface CertificateOptions {
  commonName: string;
  publicKey: KeyObject;
  issuer: { commonName: string; key: KeyObject };
  names: readonly string[];
  ca: boolean;
  notAfter?: Date;
}

/** X.509 v3 (RFC 5280) in DER by hand: sequence, integers, names, validity, key, extensions, signature. */
function certificate(options: CertificateOptions): string {
  const algorithm = seq(oid('1.2.840.10045.4.3.2'));
  const notAfter = options.notAfter ?? new Date(Date.now() + 24 * HOUR_MS);
  const notBefore = new Date(Math.min(Date.now(), notAfter.getTime()) - HOUR_MS);
  const body = seq(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    algorithm,
    name(options.issuer.commonName),
    seq(time(notBefore), time(notAfter)),
    name(options.commonName),
    createPublicKey(options.publicKey.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' }),
    tlv(0xa3, seq(...extensions(options))),
  );
  const signature = sign('sha256', body, options.issuer.key);
  const der = seq(body, algorithm, bits(signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensions({ ca, names }: CertificateOptions): Buffer[] {
  const constraints = seq(
    oid('2.5.29.19'),
    tlv(0x01, Buffer.from([0xff])),
    octets(seq(...(ca ? [tlv(0x01, Buffer.from([0xff]))] : []))),
  );
  if (names.length === 0) return [constraints];
  const alternatives = names.map((text) =>
    /^[\d.]+$/.test(text) ? tlv(0x87, Buffer.from(text.split('.').map(Number))) : tlv(0x82, Buffer.from(text)),
  );
  return [constraints, seq(oid('2.5.29.17'), octets(seq(...alternatives)))];
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
const seq = (...parts: Buffer[]): Buffer => tlv(0x30, Buffer.concat(parts));
const octets = (content: Buffer): Buffer => tlv(0x04, content);
const bits = (content: Buffer): Buffer => tlv(0x03, Buffer.concat([Buffer.from([0]), content]));
const name = (commonName: string): Buffer => seq(tlv(0x31, seq(oid('2.5.4.3'), tlv(0x0c, Buffer.from(commonName)))));
const time = (at: Date): Buffer => tlv(0x18, Buffer.from(`${at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}
