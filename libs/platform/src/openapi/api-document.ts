import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { API_DESCRIPTION, type ApiDescription } from './api-description.js';
import { openApi, type OpenApi } from './openapi-document.js';
import { type ServedCall, servedCalls, servedRoutes, type ServedRoute } from './routes.js';

/** The API of this process: of all modules that live in it. */
@Injectable()
export class ApiDocument {
  #made: OpenApi | undefined;

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  /** Every HTTP route that is served. */
  routes(): ServedRoute[] {
    return servedRoutes(this.modules, this.reflector);
  }

  /** Every gRPC call that is served. */
  calls(): ServedCall[] {
    return servedCalls(this.modules, this.reflector);
  }

  /** Made at the first call, when all modules are there. */
  describe(): OpenApi {
    return (this.#made ??= openApi(this.routes(), this.#descriptions()));
  }

  #descriptions(): ApiDescription[] {
    return [...this.modules.values()].flatMap(({ providers }) => {
      const provider = providers.get(API_DESCRIPTION);
      return provider === undefined ? [] : (provider.instance as readonly ApiDescription[]);
    });
  }
}
