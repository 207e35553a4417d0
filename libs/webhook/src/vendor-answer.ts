import type { Destination } from '@tocsin/contracts';
import type { Rejection } from '@tocsin/domain';

/** Codes that ask for patience. DingTalk: busy, sent too fast, over the limit. Feishu: frequency limits. */
const PASSING: Readonly<Record<string, ReadonlySet<number>>> = {
  dingtalk: new Set([-1, 90_030, 130_101]),
  feishu: new Set([9_499, 11_232, 11_233, 230_020]),
};
/** Codes about keywords, signature or source address, or a robot that does not exist: a person has to set something right. */
const SETUP: Readonly<Record<string, ReadonlySet<number>>> = {
  dingtalk: new Set([300_001, 300_005, 310_000]),
  feishu: new Set([19_001, 19_021, 19_022, 19_024]),
};

/**
 * DingTalk and Feishu answer 200 to everything and say in the body whether the message was taken. An answer that says nothing of
 * the kind is taken by its status, as everybody's.
 */
export function rejectionOf(kind: Destination['kind'], body: string): Rejection | undefined {
  if (kind !== 'dingtalk' && kind !== 'feishu') return undefined;
  const code = codeOf(kind, body);
  if (code === undefined || code === 0) return undefined;
  if (PASSING[kind]?.has(code) === true) return 'passing';
  return SETUP[kind]?.has(code) === true ? 'auth' : 'request';
}

function codeOf(kind: 'dingtalk' | 'feishu', body: string): number | undefined {
  try {
    const answer = JSON.parse(body) as Record<string, unknown> | null;
    const code = kind === 'dingtalk' ? answer?.['errcode'] : (answer?.['code'] ?? answer?.['StatusCode']);
    return typeof code === 'number' ? code : undefined;
  } catch {
    return undefined;
  }
}
