import { formatBytes } from '../../../core/format-units.ts';
import type { ModelInfo } from '../../../core/model.ts';
import type { LocalModel, ModelCalibration } from '../../../engine/engine.ts';
import { toSnakeCase } from '../../../wire/snake-case.ts';

/**
 * A model as the native dialect shows it; facts of a loaded model are null while it is not loaded. `madeNames`: names that clients
 * made for it.
 */
export function toNativeModel(model: LocalModel, madeNames: readonly string[] = []) {
  const { loaded } = model;
  const residentBytes = loaded?.residentBytes ?? null;
  return {
    name: model.name,
    aliases: model.aliases,
    made_names: [...madeNames],
    format: model.format,
    size: formatBytes(model.sizeBytes),
    size_bytes: model.sizeBytes,
    quantization: model.quantization,
    loaded: loaded !== null,
    state: model.state,
    reason: model.reason,
    memory_usage: residentBytes === null ? null : formatBytes(residentBytes),
    memory_bytes: residentBytes,
    planned_memory_bytes: loaded?.plan?.expectedBytes.total ?? null,
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
      files: variant.files,
    })),
    advice: model.advice && toSnakeCase(model.advice),
    modified_at: model.modifiedAt.toISOString(),
    context_length_loaded: loaded?.contextTokens ?? null,
    slots: loaded?.slots ?? null,
    threads: loaded?.threads ?? null,
    kernels: fromKernels(loaded?.kernels ?? null),
    tokens_per_second: loaded?.tokensPerSecond ?? null,
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
    ends_next: loaded?.endsNext ?? false,
    active_requests: loaded?.activeRequests ?? null,
    queued_requests: loaded?.queuedRequests ?? null,
  };
}

/** A model of another provider, of which little is known here. */
export function toCloudModel(model: ModelInfo) {
  return {
    name: model.id,
    provider: model.provider,
    display_name: model.displayName,
    aliases: [...model.aliases],
    context_length: model.contextTokens,
    max_output_tokens: model.maxOutputTokens,
    operations: [...model.capabilities.operations],
  };
}

function fromKernels(kernels: NonNullable<LocalModel['loaded']>['kernels']) {
  if (kernels === null) return null;
  const { name, isBuiltHere, gainOfBuilt: gain } = kernels;
  const rounded = (ratio: number) => Math.round(ratio * 100) / 100;
  return {
    name,
    built_here: isBuiltHere,
    gain_of_built: gain && {
      prompt: rounded(gain.prompt),
      decode: rounded(gain.decode),
      measured_here: gain.isMeasuredHere,
    },
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
