import type { Destination } from '@tocsin/contracts';
import { isTocsinError, TocsinError } from '@tocsin/domain';
import type { EgressPolicy } from './egress.js';
import { checkTemplate } from './format/template.js';
import { TlsContexts } from './tls-context.js';

/**
 * Checks a destination when it is declared, secrets in place: its URLs against the policy, its template, its certificates.
 * @param at JSON pointer of the destination in what was sent
 * @throws TocsinError `TCN_EGRESS_BLOCKED` or `TCN_INVALID`, with a fault that points to the part
 */
export function checkDestination(destination: Destination, egress: EgressPolicy, at = '/destination'): void {
  checkUrl(egress, destination.url, `${at}/url`);
  if ('auth' in destination && destination.auth?.type === 'oauth2') {
    checkUrl(egress, destination.auth.tokenUrl, `${at}/auth/tokenUrl`);
  }
  if ('tls' in destination && destination.tls !== undefined) {
    try {
      new TlsContexts().get(destination.tls);
    } catch (error) {
      const detail = 'certificate and key cannot be read or do not belong together';
      throw new TocsinError('TCN_INVALID', `${at}/tls: ${detail}`, {
        cause: error,
        faults: [{ pointer: `${at}/tls`, detail }],
      });
    }
  }
  const format = destination.kind === 'webhook' ? destination.format : undefined;
  if (typeof format === 'object') checkTemplate(format.template, `${at}/format/template`);
}

function checkUrl(egress: EgressPolicy, url: string, pointer: string): void {
  try {
    egress.checkUrl(url);
  } catch (error) {
    if (!isTocsinError(error)) throw error;
    throw new TocsinError(error.code, `${pointer}: ${error.message}`, {
      cause: error,
      faults: [{ pointer, detail: error.message }],
    });
  }
}
