/** Reflector key of `@Public()`. */
export const PUBLIC_METADATA = 'tocsin:public';

/** Reflector key of `@RequireRole()`. */
export const ROLES_METADATA = 'tocsin:roles';

/** Reflector key of `@RespectsScope()`. */
export const SCOPE_METADATA = 'tocsin:scope';
