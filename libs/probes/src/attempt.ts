import { formatDuration, type Clock, type ProbePhase } from '@tocsin/domain';

/** A phase that is entered one after another; `deadline` and `assert` are verdicts rather than work. */
export type WorkPhase = Exclude<ProbePhase, 'deadline'>;

const UNFINISHED: Record<WorkPhase, (peer: string) => string> = {
  dns: (peer) => `own resolver did not answer for ${peer}`,
  connect: (peer) => `no connection to ${peer}`,
  tls: (peer) => `no TLS handshake with ${peer}`,
  request: (peer) => `no complete answer from ${peer}`,
  assert: (peer) => `no complete answer from ${peer}`,
};

/** One run of a check: where it is, how long each phase took, and what has to be torn down when its time is over. */
export class Attempt {
  readonly startedMs: number;
  readonly phasesMs: Partial<Record<ProbePhase, number>> = {};
  /** Whom the attempt talks to, for people: `127.0.0.1:8080`. */
  peer: string;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #phase: WorkPhase = 'dns';
  #enteredMs: number;
  #resource: { destroy(): unknown } | undefined;
  #over = false;

  constructor(clock: Clock, timeoutMs: number, peer: string) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.startedMs = clock.monotonicMs();
    this.#enteredMs = this.startedMs;
    this.peer = peer;
  }

  get phase(): WorkPhase {
    return this.#phase;
  }

  get durationMs(): number {
    return this.#clock.monotonicMs() - this.startedMs;
  }

  get remainingMs(): number {
    return this.#timeoutMs - this.durationMs;
  }

  /** Ends the current phase and begins the next. */
  enter(phase: WorkPhase): void {
    this.#closePhase();
    this.#phase = phase;
  }

  /** Whatever holds the connection: destroyed at the end, or at once where the end has been already. */
  hold(resource: { destroy(): unknown }): void {
    this.#resource = resource;
    if (this.#over) resource.destroy();
  }

  /** Ends the attempt: nothing of it stays open. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#closePhase();
    this.#resource?.destroy();
  }

  /** What was not there in time. */
  unfinished(): string {
    return `${UNFINISHED[this.#phase](this.peer)} within ${formatDuration(this.#timeoutMs)}`;
  }

  #closePhase(): void {
    const nowMs = this.#clock.monotonicMs();
    this.phasesMs[this.#phase] = (this.phasesMs[this.#phase] ?? 0) + nowMs - this.#enteredMs;
    this.#enteredMs = nowMs;
  }
}
