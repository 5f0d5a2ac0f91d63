import type { ChatInput, ChatMessage, ChatRequest, ReasoningWish } from '../../core/chat.ts';
import type { ContentPart, DocumentPart, TextPart } from '../../core/content.ts';
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
  options: { model: string; choice: number; owner: string | null; isBackground?: boolean },
): WorkerRequest {
  const { seed } = request.sampling;
  const reasoningTokens = mostReasoning(request.reasoning);
  return {
    model: options.model,
    input: withDocumentsAsText(withReasoningWish(request)),
    // Equal seeds would give equal answers.
    sampling: seed === undefined ? request.sampling : { ...request.sampling, seed: (seed + options.choice) % seeds },
    format: request.format ?? { type: 'text' },
    topLogprobs: request.logprobs?.top ?? null,
    maxTokens: request.maxTokens ?? null,
    ...(reasoningTokens !== null && { reasoningTokens }),
    stop: request.stop,
    owner: options.owner,
    promptCache: request.promptCache ?? 'keep',
    ...(request.prediction !== undefined && { prediction: request.prediction }),
    ...(request.returnsTokens && { returnsTokens: true }),
    ...(options.isBackground && { isBackground: true }),
  };
}

/** Words of templates that know several degrees of it; most of them have these three. */
const efforts = { minimal: 'low', low: 'low', medium: 'medium', high: 'high', xhigh: 'high', max: 'high' } as const;

/** Templates that can think know these switches by these names, and the others do not look. */
function withReasoningWish({ input, reasoning }: ChatRequest): ChatInput {
  if (input.type !== 'chat' || !reasoning) return input;
  const effort = reasoning.mode === 'on' ? reasoning.effort : undefined;
  return {
    ...input,
    templateOptions: {
      enable_thinking: reasoning.mode === 'on',
      ...(effort !== undefined && { reasoning_effort: efforts[effort] }),
      ...input.templateOptions,
    },
  };
}

/** What an effort makes of a budget, and the budget that it is where there is none; null: none. */
const budgets = {
  minimal: { share: 0.125, tokens: 512 },
  low: { share: 0.25, tokens: 2_048 },
  medium: { share: 0.5, tokens: 8_192 },
  high: { share: 1, tokens: null },
  xhigh: { share: 1, tokens: null },
  max: { share: 1, tokens: null },
} as const;

/** Most tokens of reasoning, or null. A model that is not to think is stopped where its template does not know how. */
export function mostReasoning(reasoning: ReasoningWish | undefined): number | null {
  if (!reasoning) return null;
  if (reasoning.mode === 'off') return 0;
  const { share, tokens } = budgets[reasoning.effort ?? 'high'];
  return reasoning.budgetTokens === undefined ? tokens : Math.ceil(reasoning.budgetTokens * share);
}

/** Documents that are text can be read by every model; the others were refused before. */
function withDocumentsAsText(input: ChatInput): ChatInput {
  if (input.type !== 'chat') return input;
  return {
    ...input,
    messages: input.messages.map((message): ChatMessage => {
      if (message.role !== 'user') return message;
      const content = message.content.map((part) => {
        if (part.type === 'document') return toText(part);
        if (part.type !== 'tool-result') return part;
        return { ...part, content: part.content.map((inner) => (inner.type === 'document' ? toText(inner) : inner)) };
      });
      return { ...message, content };
    }),
  };
}

function toText({ source, title, context }: DocumentPart): TextPart {
  const text = source.type === 'text' ? source.text : '';
  const lines = ['<document>', ...(title ? [`Title: ${title}`] : []), ...(context ? [context] : []), text];
  return { type: 'text', text: `${lines.join('\n')}\n</document>\n` };
}

/**
 * What of a request no model of this machine does although the answer is worth having without it. What only some do not do
 * their workers tell.
 */
export function warningsFor(request: ChatRequest): Warning[] {
  const warnings: Warning[] = [];
  const warn = (field: string, message: string) => warnings.push({ field, message });
  if (request.serviceTier !== undefined) warn('serviceTier', 'makes no difference here');
  return warnings;
}

/** Throws `invalid_request` for the first part that no model of this machine reads, naming its place. */
export function assertReadable(request: ChatRequest, model: string): void {
  if (request.input.type !== 'chat') return;
  for (const [at, message] of request.input.messages.entries()) {
    for (const [index, part] of message.content.entries()) {
      const field = `input.messages.${at}.content.${index}`;
      const inner = part.type === 'tool-result' ? part.content.findIndex(isUnreadable) : -1;
      if (part.type === 'tool-result' && inner >= 0)
        throw unreadable(part.content[inner]!.type, `${field}.content.${inner}`, model);
      if (isUnreadable(part)) throw unreadable(part.type, field, model);
      if (part.type === 'opaque' && isSound(part.block)) throw unreadable('sound', field, model);
    }
  }
}

function isUnreadable(part: ContentPart): boolean {
  return part.type === 'image' || (part.type === 'document' && part.source.type !== 'text');
}

/** Sound as OpenAI's dialect has it: to leave it out would answer another question. */
function isSound(block: unknown): boolean {
  return typeof block === 'object' && block !== null && 'type' in block && block.type === 'input_audio';
}

function unreadable(type: string, field: string, model: string): AppError {
  const what = type === 'image' ? 'an image' : type === 'sound' ? 'sound' : 'a document';
  return new AppError('invalid_request', `"${model}" reads text only, and was sent ${what}.`, {
    field,
    fix: 'Send text, or choose a model that reads it.',
  });
}
