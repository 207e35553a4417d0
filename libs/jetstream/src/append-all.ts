import { type AppendPart, appendPartReplySchema, appendReplySchema, type AppendRequest, RPC } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { Broker } from './broker.js';

/** Events one message of an append carries. */
const PART_EVENTS = 1_000;
/** A NATS message holds 1 MiB by default; what an event has beside its data and subject stands in it as well. */
const PART_BYTES = 600 * 1024;

/** The leader answers within milliseconds of its commit, and at once to a part that is not the last. */
const TRY_TIMEOUT_MS = 3_000;
/**
 * How often the last part is sent while no answer comes. Many thousand events are a second or two of work on two cores; whoever asks again
 * waits on for the same commit, and learns so that the leader was killed in it.
 */
const COMMIT_TRIES = 10;

/**
 * Appends all events of a request or none, however many there are: in one message where that holds them, else in parts that the leader
 * gathers. Safe to repeat with the same events.
 * @returns position of the last of them
 * @throws what `Broker.request` throws; `TCN_UNAVAILABLE` where another leader took over meanwhile
 */
export async function appendAll(broker: Pick<Broker, 'request'>, request: AppendRequest): Promise<number> {
  const pieces = inPieces(request);
  if (pieces.length === 1) {
    const options = { timeoutMs: TRY_TIMEOUT_MS, schema: appendReplySchema, bundled: true };
    const { events } = await broker.request(RPC.logAppend, request, options);
    return events.reduce((last, { position }) => Math.max(last, position), 0);
  }
  // The same for a repeat: what a leader has of an earlier try is of use to the next.
  const gathering = request.events[0]?.id ?? '';
  for (const [part, piece] of pieces.entries()) {
    const tries = part === pieces.length - 1 ? COMMIT_TRIES : 1;
    const { position } = await sendPart(broker, { ...piece, gathering, part, parts: pieces.length }, tries);
    if (position !== undefined) return position;
  }
  throw new TocsinError('TCN_UNAVAILABLE', 'the log changed hands while the parts of an append were on their way');
}

async function sendPart(broker: Pick<Broker, 'request'>, part: AppendPart, tries: number) {
  const options = { timeoutMs: TRY_TIMEOUT_MS, schema: appendPartReplySchema };
  try {
    return await broker.request(RPC.logAppendPart, part, options);
  } catch (error) {
    if (tries === 1 || !isTocsinError(error, 'TCN_TIMEOUT')) throw error;
    return sendPart(broker, part, tries - 1);
  }
}

/** Cuts a request into runs of events that fit into one message each, in order, each with what is expected of its subjects. */
function inPieces({ events, expect = {} }: AppendRequest): AppendRequest[] {
  const runs: AppendRequest['events'][] = [];
  let run: AppendRequest['events'] = [];
  let bytes = 0;
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event)) + 2 * Buffer.byteLength(event.subject);
    if (run.length > 0 && (run.length === PART_EVENTS || bytes + size > PART_BYTES)) {
      runs.push(run);
      run = [];
      bytes = 0;
    }
    run.push(event);
    bytes += size;
  }
  if (run.length > 0) runs.push(run);
  if (runs.length <= 1) return [{ events, expect }];
  return runs.map((some) => ({
    events: some,
    expect: Object.fromEntries(
      some.flatMap(({ subject }): [string, number][] => {
        const version = expect[subject];
        return version === undefined ? [] : [[subject, version]];
      }),
    ),
  }));
}
