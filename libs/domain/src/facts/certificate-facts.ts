/** A certificate as a server showed it. Times are epoch milliseconds. */
export interface CertificateSeen {
  /** SHA-256, hex. */
  fingerprint: string;
  notBeforeMs: number;
  notAfterMs: number;
  issuer: string;
  /** In order of their spelling. */
  names: readonly string[];
  /** Is it for the name that was asked for? */
  matches: boolean;
  /** Code of why nobody should believe it; absent where one may. */
  distrust?: string;
}

export type CertificateFact = 'expiring' | 'expired' | 'renewed' | 'changed' | 'invalid' | 'mismatched';

/** What has been said of one certificate; never said twice. */
export type CertificateMark = 'expiring-25' | 'expiring-10' | 'expired' | 'invalid' | 'mismatched';

/** A certificate that stands in the log. */
export type KnownCertificate = Pick<
  CertificateSeen,
  'fingerprint' | 'notBeforeMs' | 'notAfterMs' | 'issuer' | 'names'
> & {
  marks: readonly CertificateMark[];
};

/** One thing to say about a certificate. */
export interface CertificateNews {
  fact: CertificateFact;
  /** One sentence. */
  reason: string;
  /** Of the certificate that was there before. */
  previous?: KnownCertificate;
  /** The first one of a target is recorded, and is nobody's news. */
  first: boolean;
}

export interface CertificateDecision {
  news: readonly CertificateNews[];
  /** Certificates of the target after the news, the one that is shown now first. */
  known: readonly KnownCertificate[];
}

/** At these shares of its lifetime somebody should know: shares, because lifetimes shrink to 47 days. */
const STAGES = [
  { mark: 'expired', share: 0 },
  { mark: 'expiring-10', share: 0.1 },
  { mark: 'expiring-25', share: 0.25 },
] as const;
/** Servers behind one name may show one each while they are renewed in turn; so many are remembered. */
const MOST_KNOWN = 4;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** When little of its life is left, its renewal should show soon. */
const LATE_LOOK_MS = 600_000;
/** After a look that saw none. */
const RETRY_LOOK_MS = 60_000;

/** Share of its lifetime that is left, 1 to 0; 0 after its end. */
export function lifetimeLeft(
  { notBeforeMs, notAfterMs }: { notBeforeMs: number; notAfterMs: number },
  nowMs: number,
): number {
  const lifetimeMs = notAfterMs - notBeforeMs;
  return lifetimeMs <= 0 ? 0 : Math.min(1, Math.max(0, (notAfterMs - nowMs) / lifetimeMs));
}

/** Milliseconds to the next look: hourly, every ten minutes with less than a tenth of its life left. */
export function certificateLookDelayMs(seen: CertificateSeen | undefined, nowMs: number): number {
  if (seen === undefined) return RETRY_LOOK_MS;
  return lifetimeLeft(seen, nowMs) < STAGES[1].share ? LATE_LOOK_MS : HOUR_MS;
}

/**
 * What is news about the certificate a target shows, after what has been said of its certificates. Each thing is said once of each
 * certificate; of several stages passed at once, the last.
 * @param known undefined where none has ever been recorded
 * @param nowMs epoch milliseconds
 */
export function certificateNews(
  known: readonly KnownCertificate[] | undefined,
  seen: CertificateSeen,
  nowMs: number,
): CertificateDecision {
  const there = known?.find(({ fingerprint }) => fingerprint === seen.fingerprint);
  const news: CertificateNews[] = [];
  if (there === undefined) news.push(replacement(known?.[0], seen));
  const marks = marksOf(seen, nowMs);
  const fresh = marks.filter((mark) => there?.marks.includes(mark) !== true);
  const [stage] = fresh.filter((mark) => mark === 'expired' || mark.startsWith('expiring'));
  if (stage !== undefined && !milder(stage, there)) {
    news.push({ fact: stage === 'expired' ? 'expired' : 'expiring', reason: ageText(seen, nowMs), first: false });
  }
  if (fresh.includes('invalid')) {
    const reason = `the certificate is not to be trusted (${seen.distrust ?? 'not valid yet'})`;
    news.push({ fact: 'invalid', reason, first: false });
  }
  if (fresh.includes('mismatched')) {
    news.push({ fact: 'mismatched', reason: `the certificate is for ${seen.names.join(', ')}`, first: false });
  }
  const { fingerprint, notBeforeMs, notAfterMs, issuer, names } = seen;
  const now: KnownCertificate = {
    ...{ fingerprint, notBeforeMs, notAfterMs, issuer, names },
    marks: [...new Set([...(there?.marks ?? []), ...marks])],
  };
  const others = (known ?? []).filter((one) => one.fingerprint !== seen.fingerprint);
  return { news, known: [now, ...others].slice(0, MOST_KNOWN) };
}

/** Every thing that is true of the certificate; a stage implies those before it. */
function marksOf(seen: CertificateSeen, nowMs: number): CertificateMark[] {
  const left = lifetimeLeft(seen, nowMs);
  const marks: CertificateMark[] = STAGES.filter(({ share }) => left <= share).map(({ mark }) => mark);
  if (seen.distrust !== undefined || nowMs < seen.notBeforeMs) marks.push('invalid');
  if (!seen.matches) marks.push('mismatched');
  return marks;
}

/** A clock that was set back does not bring an earlier stage back. */
function milder(stage: CertificateMark, there: KnownCertificate | undefined): boolean {
  const order = STAGES.map(({ mark }) => mark as CertificateMark);
  return there?.marks.some((mark) => order.includes(mark) && order.indexOf(mark) < order.indexOf(stage)) === true;
}

/** For the same names, by the same organisation, until later: renewed. Anything else somebody should look at. */
function replacement(previous: KnownCertificate | undefined, seen: CertificateSeen): CertificateNews {
  const until = `until ${isoDay(seen.notAfterMs)}`;
  if (previous === undefined) {
    return { fact: 'changed', reason: `the first certificate seen here, ${until}`, first: true };
  }
  const differences = [
    ...(previous.names.join() === seen.names.join() ? [] : [`for ${seen.names.join(', ')}`]),
    ...(organisation(previous.issuer) === organisation(seen.issuer) ? [] : [`issued by ${seen.issuer}`]),
    ...(seen.notAfterMs > previous.notAfterMs ? [] : [`valid no longer than the one before`]),
  ];
  if (differences.length === 0)
    return { fact: 'renewed', reason: `a new certificate, ${until}`, previous, first: false };
  const reason = `another certificate, ${until}: ${differences.join('; ')}`;
  return { fact: 'changed', reason, previous, first: false };
}

function organisation(issuer: string): string {
  return /(?:^|, )O=([^,]+)/.exec(issuer)?.[1] ?? issuer;
}

function ageText(seen: CertificateSeen, nowMs: number): string {
  const day = isoDay(seen.notAfterMs);
  if (nowMs >= seen.notAfterMs) return `the certificate has expired on ${day}`;
  const days = Math.floor((seen.notAfterMs - nowMs) / DAY_MS);
  const percent = Math.floor(lifetimeLeft(seen, nowMs) * 100);
  return `the certificate expires on ${day}: ${days} days, ${percent} % of its lifetime left`;
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
