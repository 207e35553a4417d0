import type { AppendRequest, Appended, EventStore } from '@tocsin/contracts';
import type { EventToAppend, JsonValue, RecordedEvent } from '@tocsin/domain';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAll, readingConformance } from './event-store-reading-conformance.js';

/** An event store under test: empty when opened. */
export interface OpenEventStore {
  store: EventStore;
  close(): Promise<void>;
}

/** What every {@link EventStore} must do, whatever keeps its events. Call it in a spec file of the adapter. */
export function eventStoreConformance(name: string, open: () => Promise<OpenEventStore>): void {
  describe(`${name} is an event store`, () => {
    let opened: OpenEventStore;
    let store: EventStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    let made = 0;
    /** A fresh event; each has its own key, and its own subject unless told otherwise. */
    function event(over: Partial<EventToAppend> = {}): EventToAppend {
      made += 1;
      const own = { id: `evt_${made}`, source: 'tocsin/test', type: 'io.tocsin.node.offline', subject: `node/${made}` };
      return { ...own, time: '2026-01-01T00:00:00.000Z', data: { made }, ...over };
    }
    const append = (...events: EventToAppend[]): Promise<Appended[]> => store.append({ events });
    const code = (promise: Promise<unknown>): Promise<string> =>
      promise.then(
        () => 'done',
        (error: unknown) => String((error as { code?: unknown }).code),
      );

    it('is empty at first', async () => {
      expect(await store.head()).toBe(0);
      expect(await store.read({ after: 0, limit: 10 })).toEqual({ events: [], next: 0, head: 0 });
      expect(await store.get(1)).toBeUndefined();
      expect(await store.latest({ subjects: ['node/a'] })).toEqual({ events: [], versions: { 'node/a': 0 } });
    });

    describe('append', () => {
      it('gives each event the next position, and the next version of its subject', async () => {
        const head = await store.head();
        const events = [event({ subject: 'node/p' }), event({ subject: 'node/q' }), event({ subject: 'node/p' })];
        const answers = await append(...events);
        expect(answers.map(({ id, position, version }) => [id, position - head, version])).toEqual([
          [events[0]?.id, 1, 1],
          [events[1]?.id, 2, 1],
          [events[2]?.id, 3, 2],
        ]);
        expect(answers.every(({ repeated }) => !repeated)).toBe(true);
        expect(await store.head()).toBe(head + 3);
      });

      it('keeps exactly what was sent, whatever JSON it holds', async () => {
        const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((s) => !s.includes('\u0000'));
        const extension = fc.oneof(text, fc.boolean(), fc.integer());
        const sent = fc.record(
          {
            subject: text,
            type: text,
            time: fc.constantFrom('2026-05-01T10:00:00.123Z', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'),
            extensions: fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,20}$/), extension, {
              maxKeys: 4,
              noNullPrototype: true,
            }),
            datacontenttype: text,
            dataschema: text,
            data: fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue),
          },
          { requiredKeys: ['subject', 'type', 'time'] },
        );
        const property = fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 8 }), async (contents) => {
          const events = contents.map((content) => ({ ...event({ data: undefined }), ...content }));
          const answers = await append(...events);
          const read = await store.read({ after: (answers[0]?.position ?? 0) - 1, limit: events.length });
          expect(read.events).toStrictEqual(
            events.map(({ data, ...rest }, index) => ({
              extensions: {},
              ...rest,
              ...(data === undefined ? {} : { data }),
              position: answers[index]?.position,
              version: answers[index]?.version,
              recordedAt: answers[index]?.recordedAt,
            })),
          );
        });
        await fc.assert(property, { numRuns: 40 });
      });

      it('answers a repeat with the first place, and records nothing', async () => {
        const first = event();
        const [place] = await append(first);
        await append(event());
        const head = await store.head();
        expect(await append(first)).toEqual([{ ...place, repeated: true }]);
        expect(
          await append({ ...first, data: { ...(first.data as object) }, time: '2026-01-01T01:00:00+01:00' }),
        ).toEqual([{ ...place, repeated: true }]);
        expect(await store.head()).toBe(head);
      });

      it('records what is new of a request that was partly recorded before', async () => {
        const [known, fresh] = [event(), event()];
        const [place] = await append(known);
        const answers = await append(fresh, known, fresh);
        expect(answers.map(({ repeated }) => repeated)).toEqual([false, true, true]);
        expect(answers[1]).toEqual({ ...place, repeated: true });
        expect(answers[2]?.position).toBe(answers[0]?.position);
      });

      it('takes the same id from another source as another event', async () => {
        const [a] = await append(event({ id: 'same', source: '/a' }));
        const [b] = await append(event({ id: 'same', source: '/b' }));
        expect(b).toMatchObject({ repeated: false, position: (a?.position ?? 0) + 1 });
      });

      it('refuses the same key with other content, with all that came with it', async () => {
        const known = event();
        await append(known);
        const head = await store.head();
        expect(await code(append(event(), { ...known, data: 'other' }))).toBe('TCN_KEY_REUSED');
        const twice = event();
        expect(await code(append(twice, { ...twice, data: 'other' }))).toBe('TCN_KEY_REUSED');
        expect(await store.head()).toBe(head);
      });

      it('records nothing where an expected version does not hold', async () => {
        await append(event({ subject: 'node/v' }));
        const head = await store.head();
        const events = [event({ subject: 'node/other' }), event({ subject: 'node/v' })];
        for (const version of [0, 2]) {
          expect(await code(store.append({ events, expect: { 'node/v': version } }))).toBe('TCN_VERSION_CONFLICT');
        }
        expect(await store.head()).toBe(head);
        const answers = await store.append({ events, expect: { 'node/v': 1, 'node/unknown': 0 } });
        expect(answers.map(({ version }) => version)).toEqual([1, 2]);
      });

      it('compares an expected version once, with how the subject stood before the append', async () => {
        const events = [event({ subject: 'node/several' }), event({ subject: 'node/several' })];
        const answers = await store.append({ events, expect: { 'node/several': 0 } });
        expect(answers.map(({ version }) => version)).toEqual([1, 2]);
        expect(
          await code(
            store.append({
              events: [event(), ...events.map(() => event({ subject: 'node/several' }))],
              expect: { 'node/several': 1 },
            }),
          ),
        ).toBe('TCN_VERSION_CONFLICT');
      });

      it('answers a repeat although the version it expected has been left since, by itself', async () => {
        const request: AppendRequest = { events: [event({ subject: 'node/r' })], expect: { 'node/r': 0 } };
        const [place] = await store.append(request);
        expect(await store.append(request)).toEqual([{ ...place, repeated: true }]);
      });

      it('lets one win of many that expect the same version at once', async () => {
        const rivals = Array.from({ length: 20 }, () => event({ subject: 'node/race' }));
        const codes = await Promise.all(
          rivals.map((each) => code(store.append({ events: [each], expect: { 'node/race': 0 } }))),
        );
        expect(codes.toSorted()).toEqual([...Array<string>(19).fill('TCN_VERSION_CONFLICT'), 'done'].toSorted());
      });

      it('records an event once, however many send it at once', async () => {
        const same = event();
        const answers = await Promise.all(Array.from({ length: 20 }, () => append(same)));
        expect(new Set(answers.map(([answer]) => answer?.position)).size).toBe(1);
        expect(answers.filter(([answer]) => answer?.repeated === false)).toHaveLength(1);
      });

      it.each<[string, Partial<EventToAppend>]>([
        ['an empty id', { id: '' }],
        ['NUL in a subject', { subject: 'a\u0000b' }],
        ['half a character in a type', { type: 'a\ud800' }],
        ['a time that is none', { time: 'yesterday' }],
        ['a number that JSON has not', { data: Number.NaN }],
      ])('refuses %s, and not its neighbours', async (_what, fault) => {
        const [bad, good] = await Promise.all([code(append(event(fault))), code(append(event()))]);
        expect([bad, good]).toEqual(['TCN_INVALID', 'done']);
      });

      it('keeps positions gapless, versions gap-free and readers complete with many writers', async () => {
        const start = await store.head();
        const appendPlan = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });
        const writersPlan = fc.array(fc.array(appendPlan, { minLength: 1, maxLength: 6 }), {
          minLength: 2,
          maxLength: 12,
        });
        const tailed: RecordedEvent[] = [];
        let writing = true;
        const tail = (async () => {
          for (let after = start; ;) {
            const done = !writing;
            const page = await store.read({ after, limit: 7 });
            tailed.push(...page.events);
            after = page.next;
            if (done && page.events.length === 0) return;
          }
        })();
        const property = fc.asyncProperty(writersPlan, async (writers) => {
          const run = made;
          const write = async (plans: number[][]): Promise<Appended[][]> => {
            const answers: Appended[][] = [];
            for (const plan of plans)
              answers.push(await append(...plan.map((n) => event({ subject: `many/${run}/${n}` }))));
            return answers;
          };
          const answers = (await Promise.all(writers.map(write))).flat();
          for (const places of answers) {
            const positions = places.map(({ position }) => position);
            expect(positions).toEqual(positions.map((_, index) => (positions[0] ?? 0) + index));
          }
        });
        await fc.assert(property, { numRuns: 20 }).finally(() => (writing = false));
        await tail;
        const written = await readAll(store, { after: start });
        expect(tailed).toEqual(written);
        expect(written.map(({ position }) => position - start)).toEqual(written.map((_, index) => index + 1));
        const versions = new Map<string, number>();
        for (const { subject, version } of written) {
          expect(version).toBe((versions.get(subject) ?? 0) + 1);
          versions.set(subject, version);
        }
        const times = written.map(({ recordedAt }) => recordedAt);
        expect(times).toEqual(times.toSorted());
      });
    });

    readingConformance(() => ({ store, event }));

    it('knows the newest event and the version of each subject', async () => {
      const on = { subject: 'latest/1', type: 'io.tocsin.node.online' };
      const off = { subject: 'latest/1', type: 'io.tocsin.node.offline' };
      await append(event(on), event(off), event({ ...on, source: '/x' }), event({ subject: 'latest/2' }));
      const subjects = ['latest/1', 'latest/2', 'latest/none', 'latest/1'];
      const versions = { 'latest/1': 3, 'latest/2': 1, 'latest/none': 0 };
      const found = async (filter: { types?: string[]; source?: string }): Promise<unknown> => {
        const answer = await store.latest({ subjects, ...filter });
        expect(answer.versions).toEqual(versions);
        return answer.events.map(({ subject, version }) => [subject, version]);
      };
      expect(await found({})).toEqual([['latest/1', 3], ['latest/2', 1]]); // prettier-ignore
      expect(await found({ types: [off.type] })).toEqual([['latest/1', 2], ['latest/2', 1]]); // prettier-ignore
      expect(await found({ types: [on.type], source: 'tocsin/test' })).toEqual([['latest/1', 1]]);
      expect(await found({ source: '/nobody' })).toEqual([]);
    });
  });
}
