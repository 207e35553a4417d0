import { createHash } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

/** How this side shows itself in TLS, and whom it trusts. All PEM. */
export interface TlsIdentity {
  /** Client certificate with its chain, and its key (mTLS). */
  cert?: string;
  key?: string;
  passphrase?: string;
  /** Authorities trusted for this destination, instead of the usual ones. */
  ca?: string | readonly string[];
}

/** Contexts kept: parsing certificates costs a millisecond, and a destination uses the same ones every time. */
const KEPT = 256;

/** The TLS contexts of a sender, one for each distinct identity. */
export class TlsContexts {
  readonly #contexts = new Map<string, SecureContext>();
  readonly #usualCa: readonly string[] | undefined;

  /** @param extraCa authorities trusted for every destination, beside those Node.js trusts; PEM */
  constructor(extraCa: readonly string[] = []) {
    this.#usualCa = extraCa.length === 0 ? undefined : [...getCACertificates('default'), ...extraCa];
  }

  /** A key that differs wherever two identities differ; empty for none. Holds no secret. */
  static keyOf(identity: TlsIdentity | undefined): string {
    if (identity === undefined) return '';
    const parts = [identity.cert, identity.key, identity.passphrase, identity.ca];
    return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  }

  /**
   * The context for an identity.
   * @throws Error with a code of OpenSSL's where certificate and key cannot be read or do not belong together
   */
  get(identity: TlsIdentity | undefined): SecureContext {
    const key = TlsContexts.keyOf(identity);
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const ca = identity?.ca === undefined ? this.#usualCa : [identity.ca].flat();
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(identity?.cert === undefined ? {} : { cert: identity.cert }),
      ...(identity?.key === undefined ? {} : { key: identity.key }),
      ...(identity?.passphrase === undefined ? {} : { passphrase: identity.passphrase }),
    });
    const oldest = this.#contexts.size >= KEPT ? this.#contexts.keys().next().value : undefined;
    if (oldest !== undefined) this.#contexts.delete(oldest);
    this.#contexts.set(key, context);
    return context;
  }
}
