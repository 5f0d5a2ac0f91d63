import { formatBytes } from '../../../core/format-units.ts';
import type { PlanInfo, PlannedSettings } from '../../../core/plan.ts';

/** A plan as the native dialect shows it. */
export function toPlanAnswer(plan: PlanInfo) {
  const { settings, shortage, budget } = plan;
  return {
    model: plan.model,
    quantization: plan.quantization,
    fits: settings !== null,
    plan: settings && toNativePlan(settings),
    shortage: shortage && {
      needed_bytes: shortage.neededBytes,
      available_bytes: shortage.availableBytes,
      shortfall_bytes: shortage.shortfallBytes,
      nearest: shortage.nearest && {
        context_length: shortage.nearest.contextTokens,
        parallel: shortage.nearest.slots,
        needed_bytes: shortage.nearest.neededBytes,
      },
      message: shortage.message,
    },
    budget: {
      total_bytes: budget.totalBytes,
      available_bytes: budget.availableBytes,
      reclaimable_bytes: budget.reclaimableBytes,
      source: budget.source,
    },
  };
}

/** Settings of a load as the native dialect shows them. */
export function toNativePlan(settings: PlannedSettings) {
  const { expectedBytes: expected } = settings;
  return {
    context_length: settings.contextTokens,
    parallel: settings.slots,
    batch_size: settings.batchTokens,
    threads: settings.threads,
    gpu_layers: settings.gpuLayers,
    gpu_memory_bytes: settings.gpuBytes,
    mmap: settings.useMmap,
    kv_cache_type: settings.kvType,
    flash_attention: settings.flashAttention,
    expected_memory: formatBytes(expected.total),
    expected_bytes: {
      mapped_weights: expected.mappedWeights,
      weights: expected.weights,
      repacked_weights: expected.repackedWeights,
      kv_cache: expected.kvCache,
      compute: expected.compute,
      vocabulary: expected.vocabulary,
      process: expected.process,
      correction: expected.correction,
      at_load: expected.atLoad,
      total: expected.total,
    },
    notes: settings.notes,
  };
}
