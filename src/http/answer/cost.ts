import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { localProviderId } from '../../core/call.ts';
import { formatUsd, toUsd } from '../../core/money.ts';

/** Where an answer says what it has cost. */
export const costField = z
  .number()
  .nullable()
  .meta({ description: 'US dollars; answers of this machine cost nothing, null is unknown.' });

/** In USD; null: unknown. This machine costs nothing. `costNanoUsd` knows it once the answer has ended. */
export function toCost({ provider, costNanoUsd }: { provider: string; costNanoUsd(): bigint | null }): number | null {
  if (provider === localProviderId) return 0;
  const cost = costNanoUsd();
  return cost === null ? null : toUsd(cost);
}

/** As the header has it: `$0.000150`; null: of this machine, or unknown. */
export function costText(providerId: string, costNanoUsd: bigint | null): string | null {
  return providerId === localProviderId || costNanoUsd === null ? null : `$${formatUsd(costNanoUsd)}`;
}

/** Tells in a header what an answer of the cloud has cost. */
export function tellCost(reply: FastifyReply, providerId: string, costNanoUsd: bigint | null): void {
  tellCostText(reply, costText(providerId, costNanoUsd));
}

export function tellCostText(reply: FastifyReply, text: string | null): void {
  if (text !== null) reply.header('x-request-cost', text);
}
