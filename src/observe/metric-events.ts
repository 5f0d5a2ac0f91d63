import { localProviderId } from '../core/call.ts';
import { toUsd } from '../core/money.ts';
import { promptTokensOf } from '../core/usage.ts';
import type { AppEvent, Bus } from './bus.ts';
import type { Metrics } from './metrics.ts';

/** So many models of providers are told apart. */
const mostModels = 500;
/** The label of all others. */
const otherModels = 'other';

/**
 * Counts and times what happens, from now on; returns the end of it. HTTP counts its own requests and messages, which are
 * no events, and gauges read their state when they are scraped.
 *
 * A provider that answers to any name would make a series of each: names behind the first 500 are counted as one model, `other`.
 */
export function recordEvents(bus: Pick<Bus, 'subscribe'>, metrics: Metrics): () => void {
  const models = new Set<string>();
  const labelled = (event: AppEvent): AppEvent => {
    if (!isOfOtherProvider(event) || models.has(event.model)) return event;
    if (models.size >= mostModels) return { ...event, model: otherModels };
    models.add(event.model);
    return event;
  };
  return bus.subscribe((event) => record(metrics, labelled(event)));
}

type ProviderEvent = Extract<AppEvent, { type: 'request-first-token' | 'request-ended' | 'attempt-settled' }>;

/** Whether its model is of a provider; all others are of files on this machine. */
function isOfOtherProvider(event: AppEvent): event is ProviderEvent {
  const { type } = event;
  const isOfProvider = type === 'request-first-token' || type === 'request-ended' || type === 'attempt-settled';
  return isOfProvider && event.provider !== localProviderId;
}

function record(metrics: Metrics, event: AppEvent): void {
  switch (event.type) {
    case 'model-loaded': {
      const { model, loadMs, expectedBytes, measuredBytes } = event;
      metrics.loads.inc({ model, result: 'loaded' });
      metrics.loadSeconds.observe({ model }, loadMs / 1000);
      if (measuredBytes !== null) metrics.memoryEstimateError.set({ model }, expectedBytes / measuredBytes - 1);
      break;
    }
    case 'model-load-failed':
      metrics.loads.inc({ model: event.model, result: event.code });
      break;
    case 'model-gone':
      metrics.unloads.inc({ model: event.model, reason: event.reason });
      break;
    case 'worker-died':
      metrics.workerRestarts.inc({ model: event.model, reason: event.reason });
      break;
    case 'step':
      recordStep(metrics, event);
      break;
    case 'slot-taken':
      metrics.queueWaitSeconds.observe({ model: event.model }, event.waitedMs / 1000);
      break;
    case 'token':
      metrics.generatedTokens.inc({ model: event.model });
      if (event.gapMs !== null) metrics.interTokenSeconds.observe({ model: event.model }, event.gapMs / 1000);
      break;
    case 'prompt-evaluated':
      metrics.evaluatedPromptTokens.inc({ model: event.model }, event.tokens);
      break;
    case 'calibrated':
      metrics.calibrations.inc({ model: event.model, result: event.result });
      break;
    case 'request-first-token':
      metrics.firstTokenSeconds.observe({ model: event.model }, event.latencyMs / 1000);
      break;
    case 'request-ended':
      recordRequest(metrics, event);
      break;
    case 'attempt-settled': {
      const { provider, model, costNanoUsd } = event;
      if (costNanoUsd !== null && costNanoUsd > 0n) metrics.costUsd.inc({ provider, model }, toUsd(costNanoUsd));
      break;
    }
    case 'decided':
      metrics.decisions.inc({ model: event.model, result: 'decided' }, event.decided);
      metrics.decisions.inc({ model: event.model, result: 'refused' }, event.refused);
      break;
    case 'batch-item-ended':
      metrics.jobItems.inc({ outcome: event.outcome });
      metrics.jobItemSeconds.observe({ outcome: event.outcome }, event.tookMs / 1000);
      break;
    case 'webhook-sent':
      metrics.jobWebhooks.inc({ outcome: event.outcome });
      break;
    case 'pull-received':
      metrics.pulledBytes.inc(event.bytes);
      break;
    case 'pull-ended':
      metrics.pulls.inc({ result: event.result });
      break;
    // Nothing is counted of these: gauges read the level of memory, the circuits and the running pulls.
    case 'memory-level':
    case 'circuit-changed':
    case 'provider-health-changed':
    case 'provider-limit-low':
    case 'request-began':
    case 'pull-changed':
      break;
    default:
      event satisfies never;
  }
}

function recordRequest(metrics: Metrics, event: Extract<AppEvent, { type: 'request-ended' }>): void {
  const { provider, model, outcome, usage, serviceMs } = event;
  metrics.requests.inc({ model, outcome });
  if (serviceMs !== null) metrics.inferenceSeconds.observe({ model }, serviceMs / 1000);
  const promptTokens = promptTokensOf(usage);
  if (promptTokens !== null) metrics.promptTokens.inc({ model }, promptTokens);
  if (usage.cacheReadTokens !== null) metrics.cachedPromptTokens.inc({ model }, usage.cacheReadTokens);
  // Those of this machine were counted as they were made.
  if (provider !== localProviderId && usage.outputTokens !== null)
    metrics.generatedTokens.inc({ model }, usage.outputTokens);
}

function recordStep(metrics: Metrics, event: Extract<AppEvent, { type: 'step' }>): void {
  const { model, sequences, promptTokens, prefixes, drafted, accepted } = event;
  metrics.steps.inc({ model });
  metrics.stepSequences.observe({ model }, sequences);
  if (promptTokens > 0) metrics.evaluatedPromptTokens.inc({ model }, promptTokens);
  for (const tier of prefixes) metrics.prefixes.inc({ model, tier });
  if (drafted === 0) return;
  metrics.draftTokens.inc({ model, result: 'accepted' }, accepted);
  metrics.draftTokens.inc({ model, result: 'rejected' }, Math.max(0, drafted - accepted));
}
