import { type Client, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { packageDefinition } from '@tocsin/grpc-contracts';
import { API_KEY } from '../registry.harness.js';

// Specs look into answers of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
type Reply = any;

type Call = (
  request: object,
  metadata: Metadata,
  done: (error: GrpcFailure | null, reply: Reply) => void,
) => { on(event: 'metadata', listener: (metadata: Metadata) => void): void };

/** How a call fails. */
export interface GrpcFailure extends Error {
  code: number;
  details: string;
  metadata: Metadata;
}

/** An answer with what came ahead of it. */
export interface GrpcReply {
  reply: Reply;
  head: Metadata | undefined;
}

/** A client of `tocsin.v1.SubscriptionRegistry`, as anybody makes it of the published descriptors. */
export class RegistryClient {
  readonly #client: Client;

  constructor(address: string) {
    const loaded = loadPackageDefinition(packageDefinition()) as unknown as {
      tocsin: { v1: { SubscriptionRegistry: new (address: string, secret: object) => Client } };
    };
    this.#client = new loaded.tocsin.v1.SubscriptionRegistry(address, credentials.createInsecure());
  }

  async call(method: string, request: object = {}, key = API_KEY): Promise<Reply> {
    return (await this.exchange(method, request, key)).reply;
  }

  exchange(method: string, request: object = {}, key = API_KEY): Promise<GrpcReply> {
    const metadata = new Metadata();
    if (key !== '') metadata.set('authorization', `Bearer ${key}`);
    const calls = this.#client as unknown as Record<string, Call>;
    return new Promise((resolve, reject) => {
      let head: Metadata | undefined;
      const call = calls[method]!.call(this.#client, request, metadata, (error, reply) =>
        error === null ? resolve({ reply, head }) : reject(error),
      );
      call.on('metadata', (received) => (head = received));
    });
  }

  close(): void {
    this.#client.close();
  }
}
