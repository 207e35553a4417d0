/** Where a delivery may stand. */
export const DELIVERY_STATES = ['delivered', 'pending', 'dead'] as const;
