import { type KeyRate, type KeyRole, keyRoleSchema } from '@tocsin/contracts';

/** What a key may do: admin ⊃ editor ⊃ viewer. A producer may append events and nothing else. */
export const ROLES: readonly KeyRole[] = keyRoleSchema.options;
export type Role = KeyRole;

/** Who calls. */
export interface Principal {
  /** Name of the key, not the key. */
  name: string;
  role: Role;
  /** Calls it may make, per process. Absent: as many as it likes. */
  rate?: KeyRate | undefined;
  /** Labels that all it sees and changes must carry. Absent or empty: everything. */
  scope?: Scope | undefined;
}

/** Labels that limit a key. */
export type Scope = Readonly<Record<string, string>>;

/** Is the key limited to a part of everything? */
export function hasScope<P extends Pick<Principal, 'scope'>>(principal: P): principal is P & { scope: Scope } {
  return principal.scope !== undefined && Object.keys(principal.scope).length > 0;
}

/** `team=a, site=fra`, for people. */
export function scopeText(scope: Scope): string {
  return Object.entries(scope)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** Says whose key this is. */
export interface KeyVerifier {
  /**
   * @returns undefined if the key is nobody's
   * @throws TocsinError `TCN_UNAVAILABLE` if that cannot be said now
   */
  verify(key: string): Promise<Principal | undefined>;
}

const INCLUDES: Readonly<Record<Role, readonly Role[]>> = {
  admin: ['admin', 'editor', 'viewer', 'producer'],
  editor: ['editor', 'viewer'],
  viewer: ['viewer'],
  producer: ['producer'],
};

/** May a key of this role do what any of `required` may? */
export function roleSatisfies(role: Role, required: readonly Role[]): boolean {
  return required.some((one) => INCLUDES[role].includes(one));
}

/** Asks one verifier after the other; the first that knows the key decides. */
export function anyOfVerifiers(...verifiers: readonly KeyVerifier[]): KeyVerifier {
  return {
    async verify(key) {
      for (const verifier of verifiers) {
        const principal = await verifier.verify(key);
        if (principal !== undefined) return principal;
      }
      return undefined;
    },
  };
}
