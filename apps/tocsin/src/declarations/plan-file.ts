import { type ApplyRequest, applyRequestSchema, parseOrThrow } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';

const derive = promisify(scrypt) as (password: string, salt: Buffer, bytes: number) => Promise<Buffer>;
const HASH_BYTES = 32;

const planFileSchema = z.strictObject({
  format: z.literal('tocsin-plan/1', { error: 'must be tocsin-plan/1' }),
  /** Where it was planned: what stands elsewhere is not what was looked at. */
  server: z.string(),
  plannedAt: z.string(),
  /** What was called `tocsin.yaml`, and its text: references are in it, not what they stand for. */
  file: z.string(),
  text: z.string(),
  prune: z.boolean(),
  takeOver: z.boolean(),
  expect: z.record(z.string(), z.int().min(0)),
  /** Of the request with references replaced: slow to guess from, since secrets are in it. */
  resolved: z.strictObject({ salt: z.base64(), hash: z.base64() }),
});

/** A plan that was kept: everything an apply needs but the values of references. */
export type PlanFile = z.infer<typeof planFileSchema>;

/**
 * Writes a plan for `apply --plan`, readable for its owner alone: what is written out in the file of declarations is written out here.
 * @throws TocsinError `TCN_CONFIG` if it cannot be written
 */
export async function writePlanFile(
  path: string,
  plan: Omit<PlanFile, 'format' | 'resolved'>,
  request: ApplyRequest,
): Promise<void> {
  const salt = randomBytes(16);
  const hash = await derive(textOf(request), salt, HASH_BYTES);
  const resolved = { salt: salt.toString('base64'), hash: hash.toString('base64') };
  const content = JSON.stringify({ format: 'tocsin-plan/1', ...plan, resolved } satisfies PlanFile, undefined, 2);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, `${content}\n`, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new TocsinError('TCN_CONFIG', `${path}: cannot be written (${codeOf(error)})`, { cause: error });
  }
}

/** @throws TocsinError `TCN_CONFIG` if it cannot be read or is no plan */
export async function readPlanFile(path: string): Promise<PlanFile> {
  try {
    return parseOrThrow(planFileSchema, JSON.parse(await readFile(path, 'utf8')), path);
  } catch (error) {
    const code = codeOf(error);
    const reason = isTocsinError(error)
      ? `is no plan of \`tocsin plan --out\`: ${error.message}`
      : error instanceof SyntaxError
        ? 'is no plan of `tocsin plan --out`: it is not JSON'
        : code === 'ENOENT'
          ? 'there is no such file'
          : `cannot be read (${code})`;
    throw new TocsinError('TCN_CONFIG', `${path}: ${reason}`, { cause: error });
  }
}

/**
 * Refuses a plan whose references stand for something else by now.
 * @throws TocsinError `TCN_PRECONDITION_FAILED`
 */
export async function requireSameRequest(plan: PlanFile, request: ApplyRequest): Promise<void> {
  const hash = await derive(textOf(request), Buffer.from(plan.resolved.salt, 'base64'), HASH_BYTES);
  const planned = Buffer.from(plan.resolved.hash, 'base64');
  if (planned.length === hash.length && timingSafeEqual(planned, hash)) return;
  throw new TocsinError(
    'TCN_PRECONDITION_FAILED',
    `${plan.file}: references (\${env:…}, \${file:…}) stand for something else than when it was planned; plan again`,
  );
}

/** Defaults filled in and fields in the order of the schemas: the same text for the same request. */
function textOf(request: ApplyRequest): string {
  const { expect: _expect, dryRun: _dryRun, ...rest } = applyRequestSchema.parse(request);
  return JSON.stringify(rest);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
