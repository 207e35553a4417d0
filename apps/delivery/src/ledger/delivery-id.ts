/** The id of a delivery: `<position>-<subscription>`. */
export function deliveryId(position: number, subscription: string): string {
  return `${position}-${subscription}`;
}

/** The parts of a delivery's id; undefined if it is none. */
export function parseDeliveryId(id: string): { position: number; subscription: string } | undefined {
  const match = /^([1-9]\d{0,15})-(.+)$/.exec(id);
  const [, position, subscription] = match ?? [];
  return position === undefined || subscription === undefined
    ? undefined
    : { position: Number(position), subscription };
}
