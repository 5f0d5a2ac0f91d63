import { formatBytes } from '../../../core/format-units.ts';
import type { LocalModel, ModelCalibration } from '../../../engine/engine.ts';

/** A model as the native dialect shows it; facts of a loaded model are null while it is not loaded. */
export function toNativeModel(model: LocalModel) {
  const { loaded } = model;
  const residentBytes = loaded?.residentBytes ?? null;
  return {
    name: model.name,
    aliases: model.aliases,
    format: model.format,
    size: formatBytes(model.sizeBytes),
    size_bytes: model.sizeBytes,
    quantization: model.quantization,
    loaded: loaded !== null,
    state: model.state,
    reason: model.reason,
    memory_usage: residentBytes === null ? null : formatBytes(residentBytes),
    memory_bytes: residentBytes,
    architecture: model.architecture,
    parameters: model.parameterCount,
    context_length: model.trainedContextTokens,
    variants: model.variants.map((variant) => ({
      quantization: variant.quantization,
      size: formatBytes(variant.sizeBytes),
      size_bytes: variant.sizeBytes,
      bits_per_weight: variant.bitsPerWeight,
      reason: variant.invalidReason,
      expected_memory: variant.expectedBytes === null ? null : formatBytes(variant.expectedBytes),
      expected_memory_bytes: variant.expectedBytes,
      fits: variant.fits,
    })),
    modified_at: model.modifiedAt.toISOString(),
    context_length_loaded: loaded?.contextTokens ?? null,
    slots: loaded?.slots ?? null,
    threads: loaded?.threads ?? null,
    calibration: fromCalibration(loaded?.calibration ?? null),
    pinned: loaded?.pinned ?? false,
    gpu: loaded?.gpu ?? null,
    gpu_device: loaded?.gpuDevice ?? null,
    gpu_layers: loaded?.gpuLayers ?? null,
    gpu_memory_bytes: loaded?.gpuBytes ?? null,
    gpu_reason: loaded?.gpuReason ?? null,
    notes: loaded?.notes ?? [],
    loaded_at: loaded?.loadedAt.toISOString() ?? null,
    load_ms: loaded === null ? null : Math.round(loaded.loadMs),
    expires_at: loaded?.expiresAt?.toISOString() ?? null,
    active_requests: loaded?.activeRequests ?? null,
    queued_requests: loaded?.queuedRequests ?? null,
  };
}

function fromCalibration(calibration: ModelCalibration | null) {
  return (
    calibration && {
      decode_threads: calibration.decodeThreads,
      prefill_threads: calibration.prefillThreads,
      decode_tokens_per_second: calibration.decodeTokensPerSecond,
      prefill_tokens_per_second: calibration.prefillTokensPerSecond,
      cost_of_tokens: calibration.costOfTokens,
      measured_at: calibration.measuredAt.toISOString(),
    }
  );
}
