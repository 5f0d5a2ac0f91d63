import {
  type CallContext,
  localProviderId,
  type Principal,
  type RoutingConfig,
  type RoutingWish,
} from '../core/call.ts';
import type { Provider } from '../core/provider.ts';
import type { ProviderBatches } from '../core/provider-batch.ts';
import type { BatchBooks } from './batched.ts';
import { targetsOf } from './targets.ts';

/** How a request of a batch may go: by itself as any other, the same or in the cloud, or with others in a provider's batch. */
export type BatchLane = 'here' | 'either' | 'away';

/** What whoever runs batches has to know of the batches of providers. */
export interface BatchDoor {
  /** Never throws: what is wrong with a request is told when it is asked for. */
  laneOf(model: string, wish: RoutingWish, principal: Principal): BatchLane;
  /** Whether any provider that may be asked has some. */
  hasAny(): boolean;
  /** Those of one; null: it has none, or is not there. */
  batchesOf(provider: string): ProviderBatches | null;
  giveBack: BatchBooks['giveBack'];
  /** Resolves when the ends of all tries are in the books, or could not be written. */
  booked: BatchBooks['flush'];
}

export function createBatchDoor(deps: {
  providers: () => ReadonlyMap<string, Provider>;
  routing: () => RoutingConfig;
  books: Pick<BatchBooks, 'giveBack' | 'flush'>;
}): BatchDoor {
  const { providers, routing, books } = deps;
  const isCloud = ({ id }: Pick<Provider, 'id'>) => id !== localProviderId;
  return {
    laneOf(model, wish, principal) {
      const config: CallContext['config'] = routing();
      // Most servers send nothing anywhere, and most batches have thousands of requests.
      if (!config.cloudAllowed || !principal.mayUseCloud || wish.cloud === 'never') return 'here';
      try {
        const targets = targetsOf({ model, wish, config, principal, providers: providers() });
        if (isCloud(targets[0]!.provider)) return targets[0]!.provider.batches === undefined ? 'here' : 'away';
        return wish.cloud === 'allow' && targets.some(({ provider }) => isCloud(provider)) ? 'either' : 'here';
      } catch {
        return 'here';
      }
    },
    hasAny: () => [...providers().values()].some(({ batches }) => batches !== undefined),
    batchesOf: (provider) => providers().get(provider)?.batches ?? null,
    giveBack: books.giveBack,
    booked: books.flush,
  };
}
