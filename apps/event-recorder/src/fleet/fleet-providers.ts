import type { Provider } from '@nestjs/common';
import type { Broker } from '@tocsin/jetstream';
import { Database } from '@tocsin/postgres';
import { FleetReader } from './fleet-reader.js';
import { NoiseCounter } from './noise-counter.js';
import { NoiseReceipts } from './noise-receipt.js';
import { ObserverSeats } from './observer-seats.js';
import { WithheldReader } from './withheld-reader.js';

/** What `FleetController` is made of. */
export function fleetProviders(broker: Broker): Provider[] {
  const inject = [Database];
  return [
    { provide: FleetReader, useFactory: (database: Database) => new FleetReader(database), inject },
    { provide: WithheldReader, useFactory: (database: Database) => new WithheldReader(database), inject },
    { provide: ObserverSeats, useFactory: () => new ObserverSeats(broker) },
    {
      provide: NoiseReceipts,
      useFactory: (database: Database) => new NoiseReceipts(broker, new NoiseCounter(database)),
      inject,
    },
  ];
}
