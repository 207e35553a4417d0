import { OBSERVERS_BUCKET, observerEntrySchema } from '@tocsin/contracts';
import { isTocsinError, ownerOf, type ObserverSeat } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';

/** Label by which a target names the site whose observers should watch it. */
const SITE_LABEL = 'site';

/** Says who watches a target now, as the observers share them out among themselves. */
export class ObserverSeats {
  constructor(private readonly broker: Pick<Broker, 'kv'>) {}

  /** By subject and labels; undefined where nobody watches. Where the broker cannot be asked nobody is known to. */
  async owners(): Promise<(subject: string, labels: Readonly<Record<string, string>>) => string | undefined> {
    const seats = await this.#seats();
    return (subject, labels) => ownerOf(subject, labels[SITE_LABEL], seats);
  }

  async #seats(): Promise<ObserverSeat[]> {
    try {
      const bucket = await this.broker.kv(OBSERVERS_BUCKET);
      const entries = await Promise.all((await bucket.keys()).map((key) => bucket.get(key)));
      return entries
        .flatMap((entry) => observerEntrySchema.safeParse(entry?.value).data ?? [])
        .filter(({ isolated }) => !isolated);
    } catch (error) {
      if (!isTocsinError(error)) throw error;
      return [];
    }
  }
}
