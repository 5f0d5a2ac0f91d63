import { reasoningOf, textOf, toolCallsOf } from '../../../core/content.ts';
import { type AppError, toAppError } from '../../../core/errors.ts';
import { type Answer, coarseReason, type StreamEvent } from '../../../core/events.ts';
import { promptTokensOf, totalTokensOf, type Usage } from '../../../core/usage.ts';
import type { LocalModel, ModelCalibration } from '../../../engine/engine.ts';
import { sseJson, sseRecord } from '../../../wire/sse.ts';
import { formatBytes } from '../../fields/bytes.ts';

/** What an answer says of itself beside its text. */
export interface AnswerFacts {
  model: string;
  provider: string;
  requestId: string;
  /** Milliseconds since the request came. */
  latencyMs(): number;
}

/** A whole answer of `/generate`. */
export function toGenerateAnswer(answer: Answer, facts: AnswerFacts) {
  const latencyMs = facts.latencyMs();
  const [{ blocks, reason }] = answer.choices;
  const reasoning = reasoningOf(blocks);
  const calls = toolCallsOf(blocks).map(({ id, name, arguments: given }) => ({ id, name, arguments: given }));
  return {
    text: textOf(blocks),
    ...(reasoning !== '' && { reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
    usage: toUsage(answer.usage),
    latency: Math.round(latencyMs) / 1000,
    latency_ms: Math.round(latencyMs),
    model: facts.model,
    provider: facts.provider,
    finish_reason: coarseReason(reason),
    cost: 0,
    request_id: facts.requestId,
  };
}

/** Token counts as the native dialect writes them; null is unknown. */
export function toUsage(usage: Usage) {
  return {
    prompt_tokens: promptTokensOf(usage),
    completion_tokens: usage.outputTokens,
    total_tokens: totalTokensOf(usage),
    cached_prompt_tokens: usage.cacheReadTokens,
  };
}

export interface GenerateStreamOptions {
  /** Whether the stream ends with `[DONE]`, as the second seed specification has it. */
  endsWithDone: boolean;
  /** The error in the mount's shape. */
  errorBody(error: AppError): unknown;
  onFailure(error: unknown): void;
}

/**
 * An answer as records of `/generate/stream`. Every item has `token` and `finished` (third seed specification) and
 * `delta` and `index` (second). Never throws: a failure becomes a last record, without `[DONE]`.
 */
export async function* toGenerateRecords(
  events: AsyncIterable<StreamEvent>,
  facts: AnswerFacts,
  options: GenerateStreamOptions,
): AsyncGenerator<string> {
  let index = 0;
  const item = (text: string, more: Record<string, unknown> = {}) =>
    sseJson({ token: text, delta: text, index: index++, finished: false, ...more });
  try {
    for await (const event of events) {
      if (event.type === 'text-delta' && event.text !== '') yield item(event.text);
      if (event.type === 'reasoning-delta' && event.text !== '') yield item('', { reasoning: event.text });
      if (event.type === 'finish') {
        yield item('', {
          finished: true,
          finish_reason: coarseReason(event.reason),
          usage: toUsage(event.usage),
          latency_ms: Math.round(facts.latencyMs()),
          model: facts.model,
          provider: facts.provider,
          request_id: facts.requestId,
        });
        if (options.endsWithDone) yield sseRecord('[DONE]');
      }
    }
  } catch (error) {
    options.onFailure(error);
    const body = options.errorBody(toAppError(error));
    yield sseJson(typeof body === 'object' ? { ...body, finished: true } : { error: body, finished: true });
  }
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
