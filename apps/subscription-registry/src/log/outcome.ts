/** What a declaration did to what was there. */
export type Outcome = 'created' | 'updated' | 'unchanged';
