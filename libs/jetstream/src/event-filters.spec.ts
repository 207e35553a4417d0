import { describe, expect, it } from 'vitest';
import { eventFilters } from './event-filters.js';

describe('filters of a consumer', () => {
  it.each<[string[] | undefined, string | undefined, string[]]>([
    [undefined, undefined, ['tocsin.events.>']],
    [['*'], undefined, ['tocsin.events.>']],
    [['io.tocsin.node.offline'], undefined, ['tocsin.events.node.offline.*']],
    [['io.tocsin.node.*'], undefined, ['tocsin.events.node.>']],
    [['io.tocsin.*.offline'], undefined, ['tocsin.events.*.offline.*']],
    [['io.tocsin.*'], undefined, ['tocsin.events.>']],
    [['com.acme.*'], undefined, ['tocsin.events.com.acme.>']],
    [['com.acme.deploy'], undefined, ['tocsin.events.com.acme.deploy.*']],
    [['*.*.node.offline'], undefined, ['tocsin.events.>']],
    [['io.*'], undefined, ['tocsin.events.>']],
    [['io.acme.x'], undefined, ['tocsin.events.io.acme.x.*']],
    [['io.tocsin.node.offline'], 'node/edge.1', ['tocsin.events.node.offline.edge%2E1']],
    [['io.tocsin.node.*', 'io.tocsin.node.offline'], undefined, ['tocsin.events.node.>']],
    [['io.tocsin.*.offline', 'io.tocsin.node.offline'], undefined, ['tocsin.events.*.offline.*']],
    [['io.tocsin.*.offline', 'com.acme.*', '*'], undefined, ['tocsin.events.>']],
  ])('for types %j about %s are %j', (types, subject, filters) => {
    expect(eventFilters({ types, subject })).toEqual(filters);
  });

  it('take in what is withheld where that is wanted', () => {
    expect(eventFilters({ withheld: true })).toEqual(['tocsin.events.>', 'tocsin.withheld.>']);
    expect(eventFilters({ types: ['io.tocsin.node.*', 'com.acme.deploy'], withheld: true })).toEqual([
      ...['tocsin.events.node.>', 'tocsin.events.com.acme.deploy.*'],
      ...['tocsin.withheld.node.>', 'tocsin.withheld.com.acme.deploy.*'],
    ]);
  });

  it('refuses what is no pattern', () => {
    expect(() => eventFilters({ types: ['io.tocsin.>'] })).toThrow(expect.objectContaining({ code: 'TCN_INVALID' }));
  });
});
