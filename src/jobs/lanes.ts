import { type RoutingWish, stricterCloud } from '../core/call.ts';
import type { BatchDoor } from '../gateway/gateway.ts';
import type { LaneOf } from './batch.ts';

/** Finds the lanes of items by what goes with each of a batch, and by what an item says itself. */
export function lanesBy({ laneOf }: Pick<BatchDoor, 'laneOf'>): LaneOf {
  return ({ owner, headers }, { model, cloud }) => laneOf(model, wishOf(headers, cloud ?? null), owner);
}

/** As the route of an item will read it. */
function wishOf(headers: Readonly<Record<string, string>>, ofItem: RoutingWish['cloud']): RoutingWish {
  return {
    provider: headers['x-provider'] ?? null,
    chain: headers['x-failover-chain'] ?? null,
    cloud: stricterCloud((headers['x-cloud'] as RoutingWish['cloud'] | undefined) ?? null, ofItem),
  };
}
