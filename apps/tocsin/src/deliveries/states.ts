/** Where a delivery that is listed may stand. */
export const DELIVERY_STATES = ['delivered', 'pending', 'superseded', 'dead'] as const;
