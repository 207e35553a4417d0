import { map } from 'rxjs';

export const found = map;
