import { dnsDataSchema, type DnsCheck } from '@tocsin/contracts';
import {
  dnsNews,
  WITHHELD,
  type DnsNews,
  type DnsObservation,
  type DnsStanding,
  type JsonObject,
  type RecordedEvent,
} from '@tocsin/domain';
import type { Target } from '../targets/target.js';
import type { NewFact, Topic } from './fact-ledger.js';

const FACTS = ['failing', 'recovered', 'changed'];

/** What is so with a name, and since when, epoch milliseconds. */
export interface DnsObserved extends DnsObservation {
  timeMs: number;
  reason: string;
  rcode?: string;
}

/** The answers to a target's question; subject `dns/<target>`. */
export function dnsTopic(target: Target, check: DnsCheck): Topic<DnsStanding, DnsObserved> {
  return {
    subject: `dns/${target.name}`,
    types: FACTS.map((fact) => `io.tocsin.dns.${fact}`),
    standing: standingIn,
    decide: (before, observed) => {
      const { news, standing } = dnsNews(before, observed);
      const facts = news.map((one): NewFact => ({
        type: `io.tocsin.dns.${one.fact}`,
        timeMs: observed.timeMs,
        extensions: {
          ...(one.episode === undefined ? {} : { episode: one.episode }),
          // The first answers are what later ones are compared with, and nobody's news.
          ...(one.first ? { [WITHHELD]: 'first' } : {}),
        },
        data: dataOf(target, check, observed, one, standing),
      }));
      return { facts, standing };
    },
  };
}

function dataOf(
  target: Target,
  { name, record }: DnsCheck,
  { reason, rcode }: DnsObserved,
  { previousAnswers }: DnsNews,
  { failing, answers, episode }: DnsStanding,
): JsonObject {
  return {
    target: target.name,
    labels: target.spec.labels,
    name,
    record,
    reason,
    failing,
    ...(episode === undefined ? {} : { failingEpisode: episode }),
    ...(answers === undefined ? {} : { answers: [...answers] }),
    ...(previousAnswers === undefined ? {} : { previousAnswers: [...previousAnswers] }),
    ...(rcode === undefined ? {} : { rcode }),
  };
}

function standingIn(newest: RecordedEvent | undefined): DnsStanding {
  const data = dnsDataSchema.safeParse(newest?.data).data;
  const episode = data?.['failingEpisode'];
  return {
    failing: data?.failing ?? false,
    ...(typeof episode === 'string' ? { episode } : {}),
    ...(data?.answers === undefined ? {} : { answers: data.answers }),
  };
}
