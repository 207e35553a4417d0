import { isTocsinError, TocsinError } from '@tocsin/domain';
import { describe, expect, it } from 'vitest';
import { type Declarations, parseTocsinYaml } from './tocsin-yaml.js';

const SOURCES = {
  env: { HOOK: 'https://hooks.example.net/secret', EMPTY: '', NESTED: '${env:HOOK}' },
  readText: async (path: string) => {
    if (path === 'url.txt') return 'https://from-file.example.net/';
    throw Object.assign(new Error('no such file, whose content is a secret'), { code: 'ENOENT' });
  },
};

const parse = (text: string): Promise<Declarations> => parseTocsinYaml(text, 'f.yaml', SOURCES);

async function faultsIn(text: string): Promise<string[]> {
  try {
    await parse(text);
  } catch (error) {
    if (!isTocsinError(error, 'TCN_INVALID')) throw error;
    return error.faults.map((fault) => `${(fault as { at?: string }).at}: ${fault.pointer}: ${fault.detail}`);
  }
  throw new Error('it was taken');
}

const target = (fields: string) => `version: 1\ntargets:\n  - ${fields.trim().replaceAll('\n', '\n    ')}\n`;
const CHECK = 'check: { type: http, url: "https://a.example.net/" }';

describe('a file of declarations', () => {
  it('is the request that declares the same, with every default', async () => {
    const { request } = await parse(`
version: 1
owner: team
targets:
  - name: a
    kind: node
    labels: { site: fra }
    ${CHECK}
subscriptions:
  - name: s
    types: ["io.tocsin.*.offline"]
    destination: { kind: webhook, url: "https://b.example.net/" }
`);
    expect(request.owner).toBe('team');
    expect(request.targets).toMatchObject([
      { name: 'a', kind: 'node', labels: { site: 'fra' }, check: { type: 'http', interval: '10s', failures: 2 } },
    ]);
    expect(request.subscriptions).toMatchObject([{ name: 's', order: 'subject', delivery: 'every', labels: {} }]);
    expect(request.dryRun).toBe(false);
  });

  it('may have lists that are empty, missing, or commented out', async () => {
    for (const text of [
      'version: 1',
      'version: 1\ntargets: []',
      'version: 1\ntargets:\n#  - name: a\nsubscriptions:\n',
    ]) {
      expect((await parse(text)).request).toMatchObject({ targets: [], subscriptions: [] });
    }
  });

  it('may share parts by anchors and merge keys', async () => {
    const { request } = await parse(`
version: 1
targets:
  - name: a
    kind: node
    check: &check { type: http, url: "https://a.example.net/", interval: 5s }
  - name: b
    kind: node
    check: { <<: *check, url: "https://b.example.net/" }
`);
    expect(request.targets.map(({ check }) => check)).toMatchObject([
      { url: 'https://a.example.net/', interval: '5s' },
      { url: 'https://b.example.net/', interval: '5s' },
    ]);
  });

  it.each([
    ['without a version', 'targets: []', ['line 1, column 1: /version: must be 1']],
    ['that is empty', '', ['line 1, column 1: /version: must be 1']],
    [
      'with a field nobody knows',
      'version: 1\ntarget: []',
      ['line 2, column 1: /target: unknown field; is "targets" meant?'],
    ],
    ['with a list that is none', 'version: 1\ntargets: 7', [expect.stringMatching(/^line 2, column 1: \/targets: /)]],
    [
      'with an entry that is none',
      'version: 1\ntargets:\n  - a',
      [expect.stringMatching(/^line 3, column 5: \/targets\/0: must be a target/)],
    ],
  ])('%s is refused', async (_what, text, expected) => {
    expect(await faultsIn(text)).toEqual(expected);
  });

  it('names every fault with its place, in the order of the file', async () => {
    expect(
      await faultsIn(`version: 1
targets:
  - name: a
    kind: nod
    colour: red
    check:
      type: http
      url: https://a.example.net/
      interval: soon
subscriptions:
  - name: s
    types: []
    destination: { kind: webhook, url: "https://b.example.net/" }
`),
    ).toEqual([
      expect.stringMatching(/^line 4, column 5: \/targets\/0\/kind: /),
      'line 5, column 5: /targets/0/colour: unknown field',
      expect.stringMatching(/^line 9, column 7: \/targets\/0\/check\/interval: must be /),
      expect.stringMatching(/^line 12, column 5: \/subscriptions\/0\/types: /),
    ]);
  });

  it('says of a name that is declared twice where the first one stands', async () => {
    expect(
      await faultsIn(`${target(`name: a\nkind: node\n${CHECK}`)}  - name: a\n    kind: node\n    ${CHECK}\n`),
    ).toEqual(['line 6, column 5: /targets/1/name: "a" is declared twice; the first time in line 3, column 5']);
  });
});

describe('a template', () => {
  it('is laid out, one for each item, in every text', async () => {
    const { request } = await parse(
      target(`each: [a, b, 3]
name: "edge-\${item}"
kind: node
labels: { host: "\${item}", both: "\${item}-\${item}" }
check: { type: http, url: "https://\${item}.example.net/" }`),
    );
    expect(
      request.targets.map(({ name, labels, check }) => [name, labels['both'], 'url' in check && check.url]),
    ).toEqual([
      ['edge-a', 'a-a', 'https://a.example.net/'],
      ['edge-b', 'b-b', 'https://b.example.net/'],
      ['edge-3', '3-3', 'https://3.example.net/'],
    ]);
  });

  it('puts items in as they are, whatever they hold', async () => {
    const { request } = await parse(target(`each: ["$&"]\nname: n\nkind: node\nlabels: { x: "<\${item}>" }\n${CHECK}`));
    expect(request.targets[0]?.labels).toEqual({ x: '<$&>' });
  });

  it('has a fault of its own once, where it stands, whatever the number of items', async () => {
    expect(await faultsIn(target(`each: [a, b, c]\nname: "\${item}"\nkind: node\ncolour: red\n${CHECK}`))).toEqual([
      'line 6, column 5: /targets/0/colour: unknown field',
    ]);
  });

  it('that makes the same name twice is refused', async () => {
    expect(await faultsIn(target(`each: [a, a]\nname: "\${item}"\nkind: node\n${CHECK}`))).toEqual([
      'line 4, column 5: /targets/0/name: "a" is declared twice; the first time in line 4, column 5',
    ]);
  });

  it.each([
    ['no items', 'each: []', 'line 3, column 5: /targets/0/each: must name at least one item'],
    ['no list', 'each: a', 'line 3, column 5: /targets/0/each: must be a list of items'],
    ['an item that is none', 'each: [a, { b: c }]', 'line 3, column 15: /targets/0/each/1: must be a text or a number'],
  ])('with %s is refused', async (_what, each, expected) => {
    expect(await faultsIn(target(`${each}\nname: "\${item}"\nkind: node\n${CHECK}`))).toEqual([expected]);
  });

  it('is what ${item} needs', async () => {
    expect(await faultsIn(target(`name: a\nkind: node\ncheck: { type: http, url: "https://\${item}/" }`))).toEqual([
      'line 5, column 26: /targets/0/check/url: ${item} stands for nothing without "each"',
    ]);
  });

  it('leads from the entries behind it back to their own places', async () => {
    const text = `${target(`each: [a, b, c]\nname: "\${item}"\nkind: node\n${CHECK}`)}  - name: d\n    kind: nod\n    ${CHECK}\n`;
    expect(await faultsIn(text)).toEqual([expect.stringMatching(/^line 8, column 5: \/targets\/1\/kind: /)]);
  });
});

describe('a reference', () => {
  const subscription = (url: string) =>
    `version: 1\nsubscriptions:\n  - name: s\n    types: ["*"]\n    destination: { kind: webhook, url: "${url}" }\n`;
  const urlOf = async (url: string) => {
    const { request } = await parse(subscription(url));
    const destination = request.subscriptions[0]?.destination;
    return destination !== undefined && 'url' in destination ? destination.url : undefined;
  };

  it('to the environment or a file is replaced, also in the middle and several times', async () => {
    expect(await urlOf('${env:HOOK}')).toBe('https://hooks.example.net/secret');
    expect(await urlOf('${file:url.txt}')).toBe('https://from-file.example.net/');
    expect(await urlOf('${env:HOOK}/${env:EMPTY}x?from=${file:url.txt}')).toBe(
      'https://hooks.example.net/secret/x?from=https://from-file.example.net/',
    );
  });

  it('is not looked for in what another one stands for', async () => {
    expect(await urlOf('https://x.example.net/${env:NESTED}')).toBe('https://x.example.net/${env:HOOK}');
  });

  it.each([
    ['${env:NOBODY}', '${env:NOBODY}: the environment variable is not set'],
    ['${file:none.txt}', '${file:none.txt}: the file cannot be read (ENOENT)'],
    ['${env:}', '${env:}: names no environment variable'],
    ['${file: }', '${file: }: names no file'],
  ])('%s that leads nowhere says so and where, without a word of what it would be', async (reference, detail) => {
    const faults = await faultsIn(subscription(reference));
    expect(faults).toEqual([`line 5, column 35: /subscriptions/0/destination/url: ${detail}`]);
  });

  it('in a template leads nowhere once', async () => {
    expect(
      await faultsIn(target('each: [a, b]\nname: "${item}"\nkind: node\ncheck: { type: http, url: "${env:NOBODY}" }')),
    ).toEqual(['line 6, column 26: /targets/0/check/url: ${env:NOBODY}: the environment variable is not set']);
  });
});

describe('an error of the server about the request', () => {
  it('becomes one about the file', async () => {
    const text = `${target(`each: [a, b]\nname: "\${item}"\nkind: node\n${CHECK}`)}subscriptions:
  - name: s
    types: ["*"]
    destination: { kind: webhook, url: "http://169.254.169.254/" }
`;
    const { inFile } = await parse(text);
    const error = new TocsinError('TCN_EGRESS_BLOCKED', 'apply: …', {
      faults: [
        { pointer: '/subscriptions/0/destination/url', detail: 'is not allowed' },
        { pointer: '/targets/1/kind', detail: 'is not wanted' },
      ],
    });
    const found = inFile(error) as TocsinError;
    expect(found.code).toBe('TCN_EGRESS_BLOCKED');
    expect(found.message).toBe('f.yaml, line 5, column 5: /targets/0/kind: is not wanted (and 1 more)');
    expect(found.faults[1]).toMatchObject({ at: 'line 10, column 35', pointer: '/subscriptions/0/destination/url' });
  });

  it('of another kind stays as it is', async () => {
    const { inFile } = await parse('version: 1');
    const error = new TocsinError('TCN_UNAVAILABLE', 'nobody is there');
    expect(inFile(error)).toBe(error);
  });
});

describe('maintenance windows of a file', () => {
  it('are bodies of the API with a name, templates too', async () => {
    const { request } = await parse(`
version: 1
maintenance:
  - { name: once, start: "2030-01-01T00:00:00Z", end: "2030-01-01T02:00:00Z", selector: { site: fra } }
  - each: [ams, fra]
    name: "sundays-\${item}"
    start: "2030-01-06T02:00:00"
    rrule: FREQ=WEEKLY;BYDAY=SU
    timeZone: Europe/Berlin
    duration: 2h
    selector: { site: "\${item}" }
`);
    expect(request.maintenance).toMatchObject([
      { name: 'once', end: '2030-01-01T02:00:00Z' },
      { name: 'sundays-ams', duration: '2h', selector: { site: 'ams' } },
      { name: 'sundays-fra', duration: '2h', selector: { site: 'fra' } },
    ]);
  });

  it('are wrong at a line and a column', async () => {
    const text = `version: 1
maintenance:
  - name: one
    start: 2030-01-01T00:00:00Z
    ende: 2030-01-01T02:00:00Z
  - name: one
    start: "2030-01-06T02:00:00"
    rrule: FREQ=SECONDLY
    timeZone: Mars/Olympus
    duration: 2h
`;
    expect(await faultsIn(text)).toEqual([
      'line 6, column 5: /maintenance/1/name: "one" is declared twice; the first time in line 3, column 5',
    ]);
    expect(await faultsIn(text.replace('- name: one\n    start: "', '- name: two\n    start: "'))).toEqual([
      'line 3, column 5: /maintenance/0/end: must be an RFC 3339 time with a zone, such as 2030-01-31T12:00:00Z',
      'line 5, column 5: /maintenance/0/ende: unknown field; is "end" meant?',
      'line 8, column 5: /maintenance/1/rrule: must have FREQ, one of DAILY, WEEKLY, MONTHLY, YEARLY',
      'line 9, column 5: /maintenance/1/timeZone: must be an IANA time zone, such as Europe/Berlin',
    ]);
  });

  it('and everything else that is another owner’s is named where it stands', async () => {
    const { inFile } = await parse(target(`each: [a, b]\nname: "\${item}"\nkind: node\n${CHECK}`));
    const faults = [{ pointer: '/targets/1/name', detail: 'is looked after by "x", not by "y"' }];
    expect(inFile(new TocsinError('TCN_CONFLICT', 'apply: …', { faults }))).toMatchObject({
      code: 'TCN_CONFLICT',
      message:
        'f.yaml, line 4, column 5: /targets/0/name: is looked after by "x", not by "y"; --take-over takes it over',
    });
  });
});
