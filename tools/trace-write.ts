import { eventually, FakeNode, Receiver } from '@tocsin/testing';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inState, subscribe, watch } from '../test/harness/fleet.js';
import { Installation } from '../test/harness/installation.js';
import { OtlpReceiver, type ReceivedSpan } from '../test/harness/otlp-receiver.js';
import { TRACE_PICTURE_PATH, tracePicture } from './trace-picture.js';

// One real outage: every service its own process, three observers, a node that goes down, a receiver that answers 503 once.
const [collector, node, receiver] = await Promise.all([OtlpReceiver.start(), FakeNode.start(), Receiver.start()]);
const tocsin = await Installation.create('distributed', collector.env);
try {
  await tocsin.start();
  await Promise.all([tocsin.addObserver('obs-2'), tocsin.addObserver('obs-3')]);
  await watch(tocsin, 'edge-1', node.url);
  await subscribe(tocsin, 'on-call', receiver.url);
  await inState(tocsin, 'edge-1', 'up');
  receiver.respondOnce({ status: 503 });
  await node.down();
  await receiver.waitFor(2, 30_000);
  const attempts = () => collector.named('attempt');
  await eventually(() => attempts().length === 2, { what: 'both attempts are exported' });
  await tocsin.stop();
  writeFileSync(join(import.meta.dirname, '..', TRACE_PICTURE_PATH), picture(attempts()));
} finally {
  await tocsin.destroy();
  await Promise.all([collector.close(), node.close(), receiver.close()]);
}

function picture(attempts: readonly ReceivedSpan[]): string {
  const confirm = collector.named('confirm').find((span) => attempts[0]?.links.includes(span.spanId));
  if (confirm === undefined) throw new Error('the first attempt is linked to no change that was confirmed');
  const nameOf = (spanId: string): string => {
    if (spanId === confirm.spanId) return 'confirm';
    const before = attempts.find((attempt) => attempt.spanId === spanId);
    return `attempt ${String(before?.attributes['tocsin.attempt.number'])}`;
  };
  const spansOf = ({ traceId }: ReceivedSpan) => collector.spans.filter((span) => span.traceId === traceId);
  const vote = collector
    .named('vote')
    .filter(({ startMs }) => startMs < confirm.endMs)
    .pop();
  if (vote === undefined) throw new Error('nobody was asked');
  return tracePicture([
    { title: 'node/edge-1 is suspected: the others are asked', spans: spansOf(vote), links: vote.links.map(nameOf) },
    { title: 'node/edge-1 goes down: from the first failing probe to the match', spans: spansOf(confirm), links: [] },
    ...attempts.map((attempt, index) => ({
      title: `on-call is told, attempt ${index + 1}`,
      spans: spansOf(attempt),
      links: attempt.links.map(nameOf),
    })),
  ]);
}
