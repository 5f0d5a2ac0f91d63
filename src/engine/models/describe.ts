import type { PaceGain, QuantizationAdvice } from '../../core/quantization-advice.ts';
import type { CatalogModel, CatalogVariant } from '../../store/catalog/catalog.ts';
import { purposeOf } from '../../store/gguf/gguf.ts';
import { type Calibration, decodeRateOf } from '../calibration/calibration.ts';
import type { ResidentView } from '../residents/residents.ts';
import type { LoadedModel, LocalModel, ModelCalibration, ModelState } from './local-model.ts';

/** By the id of a resident. */
type CalibrationOf = (id: string) => Calibration | null;

/** Puts together what the catalogue and the manager know of one model. */
export function toLocalModel(
  model: CatalogModel,
  now: {
    residents: ResidentView[];
    quarantineReason: (id: string) => string | null;
    /** Why its last load failed. */
    failureReason: (id: string) => string | null;
    residentBytes: (pid: number) => number;
    choose: (model: CatalogModel) => CatalogVariant;
    calibrationOf: CalibrationOf;
    /** Tokens per second that a model writes now; null: none. */
    paceNow: (model: string) => number | null;
    expect: (variant: CatalogVariant) => { expectedBytes: number; fits: boolean } | null;
    advise: (model: CatalogModel, variant: CatalogVariant) => QuantizationAdvice | null;
    gainOfBuilt: (variant: CatalogVariant) => PaceGain | null;
  },
): LocalModel {
  const resident = now.residents.find((view) => model.variants.some((variant) => variant.id === view.id)) ?? null;
  const usable = model.variants.filter((variant) => variant.invalidReason === null);
  const shown =
    model.variants.find((variant) => variant.id === resident?.id) ??
    (usable.length > 0 ? now.choose(model) : model.variants[0]!);
  const quarantine = now.quarantineReason(shown.id);
  const state: ModelState = resident
    ? resident.state
    : usable.length === 0
      ? 'invalid'
      : quarantine !== null
        ? 'quarantined'
        : 'unloaded';
  const reasonOf = (of: ModelState): string | null => {
    if (of === 'invalid') return shown.invalidReason;
    if (of === 'quarantined') return quarantine;
    return of === 'unloaded' ? now.failureReason(shown.id) : null;
  };
  return {
    name: model.name,
    aliases: model.aliases,
    format: 'gguf',
    purpose: shown.facts ? purposeOf(shown.facts) : 'generate',
    state,
    reason: reasonOf(state),
    architecture: shown.facts?.architecture ?? null,
    thinks: shown.facts?.thinks ?? false,
    embeddingLength: shown.facts?.embeddingLength ?? null,
    parameterCount: shown.facts?.parameterCount ?? null,
    trainedContextTokens: shown.facts?.trainedContextTokens ?? null,
    quantization: shown.quantization,
    sizeBytes: shown.sizeBytes,
    variants: model.variants.map((variant) => ({
      quantization: variant.quantization,
      sizeBytes: variant.sizeBytes,
      files: variant.files,
      bitsPerWeight: bitsPerWeight(variant),
      invalidReason: variant.invalidReason,
      ...(now.expect(variant) ?? { expectedBytes: null, fits: null }),
    })),
    modifiedAt: new Date(Math.max(...model.variants.map((variant) => variant.modifiedAt.getTime()))),
    // What a GPU computes is not for the processor.
    advice: resident && resident.gpu.layers > 0 ? null : now.advise(model, shown),
    loaded: resident?.ready ? toLoaded(resident, now, now.gainOfBuilt(shown)) : null,
  };
}

function bitsPerWeight(variant: CatalogVariant): number | null {
  const facts = variant.facts;
  if (!facts || facts.parameterCount === 0) return null;
  return Math.round(((facts.tensorBytes * 8) / facts.parameterCount) * 100) / 100;
}

function toLoaded(
  resident: ResidentView,
  {
    residentBytes,
    calibrationOf,
    paceNow,
  }: {
    residentBytes: (pid: number) => number;
    calibrationOf: CalibrationOf;
    paceNow: (model: string) => number | null;
  },
  gainOfBuilt: PaceGain | null,
): LoadedModel {
  const ready = resident.ready!;
  const calibration = calibrationOf(resident.id);
  return {
    plan: resident.plan && { ...resident.plan, notes: resident.notes },
    pinned: resident.pinned,
    contextTokens: ready.contextTokens,
    slots: ready.slots,
    residentBytes: resident.pid === null ? null : residentBytes(resident.pid),
    threads: resident.threads,
    kernels: ready.kernels ? { ...ready.kernels, gainOfBuilt } : null,
    tokensPerSecond: paceNow(resident.model),
    calibration: calibration && toModelCalibration(calibration),
    gpu: resident.gpu.device?.backend ?? 'off',
    gpuDevice: resident.gpu.device?.name ?? null,
    gpuLayers: resident.gpu.layers,
    gpuBytes: resident.gpu.bytes,
    gpuReason: resident.gpu.reason,
    notes: resident.notes,
    loadedAt: resident.loadedAt ?? new Date(0),
    loadMs: resident.loadMs ?? 0,
    expiresAt: resident.expiresAt,
    endsNext: resident.endsNext,
    activeRequests: resident.busySlots,
    queuedRequests: resident.queueDepth,
  };
}

function toModelCalibration(found: Calibration): ModelCalibration {
  const { decodeThreads, prefillThreads, prefillTokensPerSecond, costOfTokens, measuredAt } = found;
  const prefillRates = Object.values(prefillTokensPerSecond);
  return {
    decodeThreads,
    prefillThreads,
    decodeTokensPerSecond: decodeRateOf(found),
    prefillTokensPerSecond: prefillRates.length === 0 ? null : Math.max(...prefillRates),
    costOfTokens,
    measuredAt: new Date(measuredAt),
  };
}
