import { certificateDataSchema } from '@tocsin/contracts';
import {
  certificateNews,
  lifetimeLeft,
  WITHHELD,
  type CertificateNews,
  type CertificateSeen,
  type JsonObject,
  type KnownCertificate,
} from '@tocsin/domain';
import type { CertificatePlace } from '@tocsin/probes';
import type { Target } from '../targets/target.js';
import type { NewFact, Topic } from './fact-ledger.js';

const FACTS = ['expiring', 'expired', 'renewed', 'changed', 'invalid', 'mismatched'];

/** A certificate, and when it was seen, epoch milliseconds. */
export interface CertificateObserved {
  seen: CertificateSeen;
  nowMs: number;
}

type Known = readonly KnownCertificate[] | undefined;

/** The certificate a target shows; subject `certificate/<target>`. */
export function certificateTopic(target: Target, place: CertificatePlace): Topic<Known, CertificateObserved> {
  return {
    subject: `certificate/${target.name}`,
    types: FACTS.map((fact) => `io.tocsin.certificate.${fact}`),
    standing: (newest) => knownIn(newest?.data),
    decide: (standing, { seen, nowMs }) => {
      const { news, known } = certificateNews(standing, seen, nowMs);
      const facts = news.map((one): NewFact => ({
        type: `io.tocsin.certificate.${one.fact}`,
        timeMs: one.fact === 'expired' ? seen.notAfterMs : nowMs,
        // The first certificate is what later ones are compared with, and nobody's news.
        ...(one.first ? { extensions: { [WITHHELD]: 'first' } } : {}),
        data: dataOf(target, place, { seen, nowMs }, one, known),
      }));
      return { facts, standing: known };
    },
  };
}

function dataOf(
  target: Target,
  { host, port, serverName }: CertificatePlace,
  { seen, nowMs }: CertificateObserved,
  { reason, previous }: CertificateNews,
  known: readonly KnownCertificate[],
): JsonObject {
  return {
    target: target.name,
    labels: target.spec.labels,
    host: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    serverName,
    reason,
    fingerprint: seen.fingerprint,
    ...(previous === undefined ? {} : { previousFingerprint: previous.fingerprint }),
    notBefore: isoTime(seen.notBeforeMs),
    notAfter: isoTime(seen.notAfterMs),
    lifetimeLeft: Math.round(lifetimeLeft(seen, nowMs) * 10_000) / 10_000,
    issuer: seen.issuer,
    names: [...seen.names],
    known: known.map(({ notBeforeMs, notAfterMs, names, marks, ...rest }) => ({
      ...rest,
      notBefore: isoTime(notBeforeMs),
      notAfter: isoTime(notAfterMs),
      names: [...names],
      marks: [...marks],
    })),
  };
}

function knownIn(data: unknown): Known {
  const known = certificateDataSchema.safeParse(data).data?.known;
  return known?.map(({ notBefore, notAfter, ...rest }) => ({
    ...rest,
    notBeforeMs: Date.parse(notBefore),
    notAfterMs: Date.parse(notAfter),
  }));
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
