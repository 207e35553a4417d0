import { domain } from '@tocsin/domain';

export const found = domain;
