import { nothing } from 'no-such-package';

export const found = nothing;
