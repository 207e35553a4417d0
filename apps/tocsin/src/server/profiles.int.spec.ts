import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { profilesPath, ProfileStore } from './profiles.js';

describe('profiles', () => {
  let folder: string;
  let store: ProfileStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tocsin-profiles-'));
    store = new ProfileStore(profilesPath({ XDG_CONFIG_HOME: folder }));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const BOOK = { current: 'a', profiles: { a: { url: 'http://a', apiKey: 'k' }, b: { url: 'http://b' } } };

  it('are none at first, and then what was written', async () => {
    expect(await store.read()).toEqual({ profiles: {} });
    await store.write(BOOK);
    expect(await store.read()).toEqual(BOOK);
  });

  it('can be read by their owner alone, also when the file was readable before', async () => {
    await store.write(BOOK);
    await chmod(store.path, 0o644);
    await store.write(BOOK);
    expect(((await stat(store.path)).mode & 0o777).toString(8)).toBe('600');
    expect(((await stat(join(folder, 'tocsin'))).mode & 0o777).toString(8)).toBe('700');
    expect(await readdir(join(folder, 'tocsin'))).toEqual(['profiles.json']);
  });

  it.each(['rubbish', '[]', '{"profiles": 1}', '{"profiles": {"a": {}}}'])('that are %s are refused', async (text) => {
    await store.write(BOOK);
    await writeFile(store.path, text);
    await expect(store.read()).rejects.toMatchObject({ code: 'TCN_CONFIG' });
  });

  it('stand in the home directory where XDG says nothing, or something relative', () => {
    expect(profilesPath({ HOME: '/h' })).toBe('/h/.config/tocsin/profiles.json');
    expect(profilesPath({ HOME: '/h', XDG_CONFIG_HOME: 'x' })).toBe('/h/.config/tocsin/profiles.json');
  });
});
