import { connect, type PeerCertificate } from 'node:tls';

const PATIENCE_MS = 10_000;

/** How long a certificate holds, epoch milliseconds. */
export interface CertificateLife {
  fromMs: number;
  untilMs: number;
}

/**
 * The certificate that a server shows, whether or not anybody should trust it.
 * @returns undefined where none can be had; the requests say why
 */
export function certificateOf(url: URL): Promise<CertificateLife | undefined> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? 443 : Number(url.port);
  return new Promise((resolve) => {
    // Looked at only: nothing is sent over this connection.
    const socket = connect({ host, port, rejectUnauthorized: false, ...(isAddress(host) ? {} : { servername: host }) });
    const end = (certificate?: PeerCertificate) => {
      socket.destroy();
      const life = certificate === undefined ? undefined : lifeOf(certificate);
      resolve(life);
    };
    socket.setTimeout(PATIENCE_MS, () => end());
    socket.once('error', () => end());
    socket.once('secureConnect', () => end(socket.getPeerCertificate()));
  });
}

function lifeOf(certificate: PeerCertificate): CertificateLife | undefined {
  const fromMs = Date.parse(certificate.valid_from);
  const untilMs = Date.parse(certificate.valid_to);
  return Number.isNaN(fromMs) || Number.isNaN(untilMs) ? undefined : { fromMs, untilMs };
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}
