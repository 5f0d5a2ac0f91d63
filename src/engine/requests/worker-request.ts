import type { ChatInput, ChatRequest } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';
import type { WorkerRequest } from '../../ipc/protocol.ts';

/** Most seeds there are; the seed of a later choice starts again at 0. */
const seeds = 2 ** 32;

/**
 * What crosses to the worker for one choice of a request. `model`: the name that its `start` event carries. `owner`:
 * whose kept states it may use, null: those that all share.
 */
export function toWorkerRequest(
  request: ChatRequest,
  options: { model: string; choice: number; owner: string | null },
): WorkerRequest {
  const { seed } = request.sampling;
  return {
    model: options.model,
    input: withReasoningWish(request),
    // Equal seeds would give equal answers.
    sampling: seed === undefined ? request.sampling : { ...request.sampling, seed: (seed + options.choice) % seeds },
    format: request.format ?? { type: 'text' },
    topLogprobs: request.logprobs?.top ?? null,
    maxTokens: request.maxTokens ?? null,
    stop: request.stop,
    owner: options.owner,
    promptCache: request.promptCache ?? 'keep',
  };
}

/** Templates that can think know this switch by this name, and the others do not look. */
function withReasoningWish({ input, reasoning }: ChatRequest): ChatInput {
  if (input.type !== 'chat' || !reasoning) return input;
  return { ...input, templateOptions: { enable_thinking: reasoning.mode === 'on', ...input.templateOptions } };
}

/** What of a request a model of this machine does not do although the answer is worth having without it. */
export function warningsFor(request: ChatRequest): Warning[] {
  const warnings: Warning[] = [];
  const warn = (field: string, message: string) => warnings.push({ field, message });
  if (request.reasoning?.mode === 'on') {
    if (request.reasoning.budgetTokens !== undefined) warn('reasoning.budgetTokens', 'is not enforced here');
    if (request.reasoning.effort !== undefined) warn('reasoning.effort', 'makes no difference here');
  }
  if (request.serviceTier !== undefined) warn('serviceTier', 'makes no difference here');
  if (request.prediction !== undefined) warn('prediction', 'is not used here');
  return warnings;
}

/** Throws `invalid_request` for the first part that no model of this machine reads, naming its place. */
export function assertReadable(request: ChatRequest, model: string): void {
  if (request.input.type !== 'chat') return;
  for (const [at, message] of request.input.messages.entries()) {
    for (const [index, part] of message.content.entries()) {
      const field = `input.messages.${at}.content.${index}`;
      const inner = part.type === 'tool-result' ? part.content.findIndex(({ type }) => type !== 'text') : -1;
      if (part.type === 'tool-result' && inner >= 0)
        throw unreadable(part.content[inner]!.type, `${field}.content.${inner}`, model);
      if (part.type === 'image' || part.type === 'document') throw unreadable(part.type, field, model);
    }
  }
}

function unreadable(type: string, field: string, model: string): AppError {
  const what = type === 'image' ? 'an image' : 'a document';
  return new AppError('invalid_request', `"${model}" reads text only, and was sent ${what}.`, {
    field,
    fix: 'Send text, or choose a model that reads it.',
  });
}
