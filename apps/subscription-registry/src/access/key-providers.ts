import type { Provider } from '@nestjs/common';
import type { Clock } from '@tocsin/domain';
import type { Broker } from '@tocsin/jetstream';
import type { Logger } from '@tocsin/platform';
import { RegistryLog } from '../log/registry-log.js';
import { DeclareKey } from './declare-key.js';
import { KeyChanges } from './key-changes.js';
import { KeyStore } from './key-store.js';
import { ReadKeys } from './read-keys.js';
import { RemoveKey } from './remove-key.js';

/** The use cases of API keys. */
export function keyProviders({ broker, clock, logger }: { broker: Broker; clock: Clock; logger: Logger }): Provider[] {
  return [
    {
      provide: KeyChanges,
      useFactory: () =>
        new KeyChanges(broker, (error) => logger.debug({ err: error }, 'the change of a key was not announced')),
    },
    {
      provide: DeclareKey,
      inject: [RegistryLog, KeyStore, KeyChanges],
      useFactory: (log: RegistryLog, keys: KeyStore, changes: KeyChanges) =>
        new DeclareKey({ log, keys, changes, clock }),
    },
    {
      provide: RemoveKey,
      inject: [RegistryLog, KeyStore, KeyChanges],
      useFactory: (log: RegistryLog, keys: KeyStore, changes: KeyChanges) => new RemoveKey(log, keys, changes),
    },
    { provide: ReadKeys, inject: [KeyStore], useFactory: (keys: KeyStore) => new ReadKeys(keys) },
  ];
}
