import type { Logger } from './logging/logger.js';
import { stopTelemetry } from './telemetry/stop.js';

/** Longest a process takes to stop, in ms; under the 30 s after which orchestrators kill. */
const STOP_DEADLINE_MS = 25_000;

/** What happens at SIGTERM and SIGINT. */
export interface SignalOptions {
  logger: Logger;
  /** Stops everything. */
  stop: () => Promise<void>;
  /** Ends the process. Default: `process.exit`. */
  exit?: (code: number) => void;
}

/**
 * Stops the process in good order at the first SIGTERM or SIGINT (exit 0, or 1 if stopping fails or takes longer than 25 s), at once at
 * the second (exit 128 + number of the signal, as shells do).
 * @returns takes the handlers off again
 */
export function stopOnSignals(options: SignalOptions): () => void {
  const exit = options.exit ?? ((code: number) => process.exit(code));
  let stopping = false;
  const stopWell = async (): Promise<boolean> => {
    try {
      await options.stop();
      options.logger.info('stopped');
      return true;
    } catch (error) {
      options.logger.error({ err: error }, 'could not stop in good order');
      return false;
    } finally {
      await stopTelemetry();
    }
  };
  const onSignal = (signal: NodeJS.Signals, number: number) => {
    if (stopping) {
      options.logger.warn({ signal }, 'second signal, stopping at once');
      exit(128 + number);
      return;
    }
    stopping = true;
    options.logger.info({ signal }, 'stopping');
    const deadline = setTimeout(() => {
      options.logger.error({ afterMs: STOP_DEADLINE_MS }, 'stopping takes too long, ending at once');
      exit(1);
    }, STOP_DEADLINE_MS);
    void stopWell().then((well) => {
      clearTimeout(deadline);
      return exit(well ? 0 : 1);
    });
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  };
}
