import type { AttemptGuard } from '../core/attempt.ts';
import { localProviderId } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { Provider } from '../core/provider.ts';
import type { Bus } from '../observe/bus.ts';
import type { BatchBooks } from './batched.ts';
import { type Admit, type InboundLimits, notLimited } from './inbound-limits.ts';
import { createModelLists, mergeModels } from './model-lists.ts';
import { createPlans } from './plans.ts';
import type { Gateway } from './port.ts';
import { createStreams } from './streams.ts';
import { assertMayLeave } from './targets.ts';
import { createWholeAnswers } from './whole-answers.ts';

export type { BatchDoor } from './batch-door.ts';
export { goAlone } from './batched.ts';
export type { Breakers, CircuitState, CircuitStatus } from './breaker.ts';
export type { HealthStatus, ProviderHealth, ProvidersHealth } from './health.ts';
export type { InboundLimits } from './inbound-limits.ts';
export type { Whereto } from './plans.ts';
export type { Answerer, BegunAnswer, Gateway, RelayedAnswer } from './port.ts';
export type { LimitStatus, ProviderLimitStatus, ProviderLimits } from './provider-limits.ts';
export type { LimitStatus as WindowStatus, LimitStatuses } from './sliding-limits.ts';

/**
 * `providers`: by id, in the order of the configuration, as they are now. `guards`: asked before each try, in order; what
 * holds nothing when it refuses comes first.
 */
export function createGateway(deps: {
  providers: () => ReadonlyMap<string, Provider>;
  guards: readonly AttemptGuard[];
  /** Left out: nothing goes in batches of providers. */
  books?: BatchBooks;
  /** Left out: clients have no limits. */
  inbound?: Pick<InboundLimits, 'admit'>;
  clock: Clock;
  bus: Pick<Bus, 'publish'>;
  /** 0 to 1. */
  random?: () => number;
}): Gateway {
  const { providers, books = null, random = Math.random } = deps;
  const plans = createPlans({ ...deps, random });
  const listOf = createModelLists(deps);
  const admit: Admit = async ({ principal }, estimatedTokens) =>
    deps.inbound?.admit(principal, estimatedTokens) ?? notLimited;
  const parts = { ...deps, books, admit, plans };

  return {
    stream: createStreams(parts),
    ...createWholeAnswers(parts),
    mayRelay: plans.mayRelay,
    async askKept(id, request, context) {
      await admit(context, 0);
      assertMayLeave(context.config, context.principal);
      const provider = providers().get(id);
      if (provider?.askKept === undefined) {
        throw new AppError('not_found', `The provider "${id}", which keeps it, is not there any more, or is off.`);
      }
      return provider.askKept(request, context);
    },
    async models(signal, { cloud }) {
      const asked = [...providers().values()].filter(({ id }) => cloud || id === localProviderId);
      const lists = await Promise.allSettled(asked.map((provider) => listOf(provider, signal)));
      const failure = lists.find((list) => list.status === 'rejected');
      if (failure && lists.every((list) => list.status === 'rejected')) throw toAppError(failure.reason);
      return mergeModels(lists.map((list) => (list.status === 'fulfilled' ? list.value : [])));
    },
    async modelsOf(id, signal) {
      const provider = providers().get(id);
      if (!provider) throw new AppError('not_found', `There is no provider called "${id}".`);
      return listOf(provider, signal);
    },
  };
}
