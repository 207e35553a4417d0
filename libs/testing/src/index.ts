export { eventStoreConformance, type OpenEventStore } from './event-store-conformance.js';
export { eventually, type EventuallyOptions } from './eventually.js';
export { FakeClock, seededRandom } from './fake-clock.js';
export { FakeNode, type FakeNodeOptions } from './fake-node.js';
export { ProcessGroup, type SpawnOptions, type TestProcess } from './process-group.js';
export { Receiver, type Answer, type Answering, type ReceivedRequest, type ReceiverOptions } from './receiver.js';
export { seedCluster } from './seed-cluster.js';
export { TcpProxy, type TcpProxyOptions } from './tcp-proxy.js';
export {
  stopTestServers,
  testDatabase,
  testFolder,
  testNats,
  testPostgres,
  type TestDatabase,
} from './test-servers.js';
