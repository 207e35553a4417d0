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
