import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { clientConfig, serverName } from './connection.js';

const client = (url: string, settings = {}): Client =>
  new Client(clientConfig({ url, applicationName: 'spec' }, settings));
const optionsOf = (url: string, settings = {}): unknown =>
  (client(url, settings) as unknown as { connectionParameters: { options: string } }).connectionParameters.options;

describe('clientConfig', () => {
  it('starts every session in UTC, with the settings asked for', () => {
    expect(optionsOf('postgres://u:p@h:5433/d', { role: 'tocsin_spec' })).toBe(
      '-c TimeZone=UTC -c DateStyle=ISO -c role=tocsin_spec',
    );
  });

  it('keeps what the URL says, and comes after it', () => {
    const url = 'postgresql://u:p%40@h/d?options=-c%20work_mem%3D8MB&connect_timeout=3';
    expect(optionsOf(url, { role: 'r' })).toBe('-c work_mem=8MB -c TimeZone=UTC -c DateStyle=ISO -c role=r');
    expect(client(url)).toMatchObject({ user: 'u', password: 'p@', host: 'h', database: 'd' });
  });

  it('reaches a Unix socket', () => {
    expect(client('postgres://u@%2Fvar%2Frun%2Fpostgresql/d')).toMatchObject({
      host: '/var/run/postgresql',
      database: 'd',
    });
  });

  it.each(['', 'localhost', 'http://u:p@h/d', '/var/run d'])('refuses %j, which is no postgres URL', (url) => {
    expect(() => clientConfig({ url, applicationName: 'spec' })).toThrow('postgres://');
  });
});

describe('serverName', () => {
  it('names host, port and database, and no secret', () => {
    const name = (url: string): string => serverName({ url, applicationName: 'spec' });
    expect(name('postgres://u:hushhush@db.example:6000/tocsin')).toBe('db.example:6000/tocsin');
    expect(name('postgres://u:hushhush@[::1]/tocsin')).toBe('::1:5432/tocsin');
  });
});
