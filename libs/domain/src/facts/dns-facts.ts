/** What the log holds of a name that is asked for. */
export interface DnsStanding {
  failing: boolean;
  /** Of the failure that is open. */
  episode?: string;
  /** In order of their spelling; absent where none has been recorded. */
  answers?: readonly string[];
}

/** What is so now; what is not named is not known and changes nothing. */
export interface DnsObservation {
  /** As subscribers know it, with the episode they know. */
  failing?: boolean;
  episode?: string;
  answers?: readonly string[];
}

/** One thing to say of a name. */
export interface DnsNews {
  fact: 'failing' | 'recovered' | 'changed';
  episode?: string;
  previousAnswers?: readonly string[];
  /** The first answers are recorded, and are nobody's news. */
  first: boolean;
}

export interface DnsDecision {
  news: readonly DnsNews[];
  standing: DnsStanding;
}

/** So often in a row the same other answers are given before that is news: a server that is just being changed gives both. */
const SAME_ANSWERS = 2;

/** What is news about a name, after what has been said of it. The order of answers is no change. */
export function dnsNews(standing: DnsStanding, observed: DnsObservation): DnsDecision {
  const news: DnsNews[] = [];
  let now = standing;
  if (observed.failing !== undefined && observed.failing !== standing.failing) {
    const episode = observed.episode ?? standing.episode;
    news.push({
      fact: observed.failing ? 'failing' : 'recovered',
      ...(episode === undefined ? {} : { episode }),
      first: false,
    });
    const { episode: _closed, ...rest } = standing;
    now = { ...rest, failing: observed.failing, ...(observed.failing && episode !== undefined ? { episode } : {}) };
  }
  const { answers } = observed;
  if (answers !== undefined && !sameAnswers(standing.answers, answers)) {
    const previousAnswers = standing.answers;
    const first = previousAnswers === undefined;
    news.push({ fact: 'changed', ...(first ? {} : { previousAnswers }), first });
    now = { ...now, answers };
  }
  return { news, standing: now };
}

/** Answers as they were given in a row. */
export interface AnswerStreak {
  answers: readonly string[];
  count: number;
}

/** Counts answers that stay the same. */
export function answersGiven(streak: AnswerStreak | undefined, answers: readonly string[]): AnswerStreak {
  const same = streak !== undefined && sameAnswers(streak.answers, answers);
  return same ? { ...streak, count: streak.count + 1 } : { answers, count: 1 };
}

/** Have the answers been the same for long enough? */
export function answersStand({ count }: AnswerStreak): boolean {
  return count >= SAME_ANSWERS;
}

function sameAnswers(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return one !== undefined && one.length === other.length && one.every((answer, index) => answer === other[index]);
}
