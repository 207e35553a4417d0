/** Where in a check something was decided. `deadline`: the check's time was over before any answer. */
export type ProbePhase = 'dns' | 'connect' | 'tls' | 'request' | 'assert' | 'deadline';

/** What one check met. */
export interface ProbeResult {
  kind: 'result';
  /** `degraded`: it answers, but not as well as it should. */
  outcome: 'pass' | 'fail' | 'degraded';
  /** `local`: the observer itself could not do its work (no file descriptors, no route, own resolver): says nothing of the target. */
  origin: 'remote' | 'local';
  /** Where it ended; absent on a pass. */
  phase?: ProbePhase;
  /** One short sentence: `connection refused by 127.0.0.1:8080`, `HTTP 503, expected 2xx`. */
  detail: string;
  /** Milliseconds from start to end. */
  durationMs: number;
  /** Milliseconds spent in each phase that was entered. */
  phasesMs: Partial<Record<ProbePhase, number>>;
  /** The target's own word, or its silence where nothing else can be asked: there is nothing others could see differently. */
  uncontested?: boolean;
  /** Of a DNS check: what the server said; absent where it said nothing. */
  dns?: DnsAnswer;
}

/** A DNS server's answer. */
export interface DnsAnswer {
  /** `NOERROR`, `NXDOMAIN` … */
  rcode: string;
  /** In order of their spelling: servers turn them about. */
  answers: readonly string[];
}

/** A check that says nothing, because the observer's event loop was blocked while it ran. */
export interface VoidedProbe {
  kind: 'void';
  detail: string;
  durationMs: number;
}

/** A moment, by both clocks: the wall clock for people, the monotonic one for spans of time. Both in milliseconds. */
export interface Instant {
  wallMs: number;
  monoMs: number;
}
