/** Items one template may have: as many as one apply takes. */
export const MOST_ITEMS = 20_000;
