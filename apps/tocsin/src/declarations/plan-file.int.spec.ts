import { applyRequestSchema } from '@tocsin/contracts';
import { testFolder } from '@tocsin/testing';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPlanFile, requireSameRequest, writePlanFile } from './plan-file.js';

const requestTo = (url: string) =>
  applyRequestSchema.parse({
    owner: 'team',
    subscriptions: [{ name: 's', types: ['io.tocsin.*.*'], destination: { kind: 'webhook', url } }],
  });
const PLAN = {
  ...{ server: 'http://127.0.0.1:7070', plannedAt: '2030-01-01T00:00:00.000Z', prune: true, takeOver: false },
  ...{ file: 'fleet.yaml', text: 'version: 1\n', expect: { 'subscription/s': 0 } },
};

let folder: string;
beforeAll(async () => {
  folder = await testFolder();
});

describe('a plan that is kept', () => {
  it('is read as it was written, by its owner alone, and without what references stand for', async () => {
    const path = join(folder, 'plan.json');
    await writePlanFile(path, PLAN, requestTo('https://hooks.example.net/geheim'));
    expect(await readPlanFile(path)).toMatchObject({ format: 'tocsin-plan/1', ...PLAN });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toContain('geheim');
  });

  it('holds for the request it was made for and for no other', async () => {
    const path = join(folder, 'other.json');
    await writePlanFile(path, PLAN, requestTo('https://hooks.example.net/one'));
    const plan = await readPlanFile(path);
    await requireSameRequest(plan, { ...requestTo('https://hooks.example.net/one'), expect: {}, dryRun: true });
    await expect(requireSameRequest(plan, requestTo('https://hooks.example.net/two'))).rejects.toMatchObject({
      code: 'TCN_PRECONDITION_FAILED',
      message: expect.stringContaining('fleet.yaml: references'),
    });
  });

  it.each([
    ['nothing', undefined, 'there is no such file'],
    ['no JSON', 'version: 1', 'is no plan of `tocsin plan --out`: it is not JSON'],
    ['other JSON', '{"format":"else"}', 'is no plan of `tocsin plan --out`: '],
  ])('is not %s', async (_what, content, reason) => {
    const path = join(folder, 'wrong.json');
    if (content !== undefined) await writeFile(path, content);
    await expect(readPlanFile(path)).rejects.toMatchObject({
      code: 'TCN_CONFIG',
      message: expect.stringContaining(`${path}: ${reason}`),
    });
  });

  it('says where it cannot be written', async () => {
    const path = join(folder, 'no', 'such', 'folder.json');
    await expect(writePlanFile(path, PLAN, requestTo('https://a.example/'))).rejects.toMatchObject({
      code: 'TCN_CONFIG',
      message: `${path}: cannot be written (ENOENT)`,
    });
  });
});
