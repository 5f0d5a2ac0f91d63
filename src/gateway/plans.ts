import type { CallContext } from '../core/call.ts';
import type { ChatRequest, OriginalRequest } from '../core/chat.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Provider } from '../core/provider.ts';
import type { FailoverPlan } from './failover.ts';
import { createRetryBudget } from './retries.ts';
import { type GatewayTarget, targetsOf } from './targets.ts';

/** What of a call decides where it may go. */
export type Whereto = Pick<CallContext, 'routing' | 'config' | 'principal'>;

/** What of a request decides whom to ask. */
type Wanted = Pick<ChatRequest, 'model' | 'original' | 'onlyRelayed' | 'keptBy'>;

/** Whom requests may ask. */
export interface Plans {
  /** What one request may try; throws what `targetsOf` does, and where nobody takes the request as it is. */
  of(request: Wanted, context: CallContext): FailoverPlan;
  /** What every plan has beside its targets. */
  readonly limits: Pick<FailoverPlan, 'clock' | 'budget' | 'random'>;
  /** As `Gateway` has it. */
  mayRelay(original: Pick<OriginalRequest, 'dialect' | 'path'>, model: string, context: Whereto): boolean;
}

export function createPlans(deps: {
  providers: () => ReadonlyMap<string, Provider>;
  clock: Clock;
  /** 0 to 1. */
  random: () => number;
}): Plans {
  const { providers, clock, random } = deps;
  const limits = { clock, budget: createRetryBudget(), random };
  const askedFor = (model: string, { routing, config, principal }: Whereto): GatewayTarget[] =>
    targetsOf({ model, wish: routing, config, principal, providers: providers() });

  return {
    limits,
    of(request, context) {
      const { model, onlyRelayed = false, keptBy } = request;
      const asked = askedFor(model, context);
      const all = keptBy === undefined ? asked : asked.filter(({ provider }) => provider.id === keptBy);
      if (all.length === 0) throw notAskedOf(keptBy!);
      const targets = onlyRelayed ? all.filter((target) => relaysIt(request, target)) : all;
      if (targets.length > 0) return { targets, context, ...limits };
      // There was somebody when the request came: the configuration is another one since.
      throw new AppError('not_supported', 'Nobody who may be asked takes the request as it is.', { field: 'model' });
    },
    mayRelay(original, model, context) {
      try {
        return askedFor(model, context).some((target) => relaysIt({ original }, target));
      } catch {
        // Whoever asks for the answer is told why.
        return false;
      }
    },
  };
}

function notAskedOf(keeper: string): AppError {
  return new AppError(
    'invalid_request',
    `What the request goes on from is kept by "${keeper}", which it does not ask.`,
    {
      field: 'keptBy',
      fix: `Ask for a model of "${keeper}", and name no other provider.`,
    },
  );
}

function relaysIt(
  { original }: { original?: Pick<OriginalRequest, 'dialect' | 'path'> },
  { provider, model }: GatewayTarget,
): boolean {
  return original !== undefined && (provider.relays?.(original, model) ?? false);
}
