import { run } from '@bufbuild/cel';

export const found = run;
