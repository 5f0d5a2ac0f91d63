import type { ChatInput, ChatMessage, ChatRequest, ReasoningWish } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import { toTexts } from './content.ts';
import { toMessages } from './messages.ts';
import type { ChatBody } from './schema.ts';
import { isOlderForm, toTools } from './tools.ts';

/** A chat body in the words of the core. Throws `invalid_request` for what the schema cannot see or we do not have. */
export function chatToCore(body: ChatBody): ChatRequest {
  if (!body.logprobs && (body.top_logprobs ?? 0) > 0) {
    throw new AppError('invalid_request', '"top_logprobs" needs "logprobs": true.', { field: 'top_logprobs' });
  }
  refuseOtherModalities(body);
  const { tools, toolChoice } = toTools(body);
  const input: ChatInput = {
    type: 'chat',
    messages: withVerbosity(toMessages(body.messages), body.verbosity ?? null),
    tools,
    toolChoice,
    // OpenAI's older form has no place for a second call.
    ...((body.parallel_tool_calls === false || isOlderForm(body)) && { parallelToolCalls: false }),
    ...(continuesLast(body) && { continuesLast: true }),
    ...(body.chat_template_kwargs && { templateOptions: body.chat_template_kwargs }),
  };
  const prediction = predictedText(body);
  return {
    ...toCommon(body, { maxTokens: body.max_completion_tokens ?? null, otherwise: null }),
    input,
    ...(body.logprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
    ...(body.reasoning_effort && { reasoning: toReasoningWish(body.reasoning_effort) }),
    ...(prediction !== '' && { prediction }),
    ...(body.safety_identifier && { endUserId: body.safety_identifier }),
    ...(body.service_tier && { serviceTier: body.service_tier }),
    ...(body.metadata && { metadata: body.metadata }),
  };
}

function refuseOtherModalities({ modalities }: ChatBody): void {
  const other = (modalities ?? []).find((modality) => modality !== 'text');
  if (other === undefined) return;
  throw new AppError('invalid_request', `"modalities": only "text" is supported, not "${other}".`, {
    field: 'modalities',
    fix: 'Leave it out, or send ["text"].',
  });
}

function toReasoningWish(effort: NonNullable<ChatBody['reasoning_effort']>): ReasoningWish {
  return effort === 'none' ? { mode: 'off' } : { mode: 'on', effort };
}

function predictedText({ prediction }: ChatBody): string {
  if (!prediction) return '';
  return toTexts(prediction.content, 'prediction')
    .map(({ text }) => text)
    .join('');
}

/** What is asked of a model that has no switch for it; "medium" is how it speaks by itself. */
const verbosityTexts = {
  low: 'Keep your answer short and to the point.',
  medium: null,
  high: 'Answer at length and in detail.',
} as const;

/** The instructions before the first turn, with a sentence about the length of answers behind them. */
function withVerbosity(messages: ChatMessage[], verbosity: keyof typeof verbosityTexts | null): ChatMessage[] {
  const text = verbosity && verbosityTexts[verbosity];
  if (!text) return messages;
  const turns = messages.findIndex(({ role }) => role !== 'system');
  const count = turns === -1 ? messages.length : turns;
  const last = messages[count - 1];
  if (last?.role !== 'system') return [{ role: 'system', content: [{ type: 'text', text }] }, ...messages];
  const longer: ChatMessage = { ...last, content: [...last.content, { type: 'text', text: `\n\n${text}` }] };
  return messages.with(count - 1, longer);
}

/** Whether the last message is to be gone on with. Throws `invalid_request` where it is none that can be. */
function continuesLast({ messages, continue_final_message, add_generation_prompt }: ChatBody): boolean {
  if (!continue_final_message) {
    if (add_generation_prompt !== false) return false;
    throw new AppError('invalid_request', '"add_generation_prompt": false needs "continue_final_message": true.', {
      field: 'add_generation_prompt',
    });
  }
  const last = messages.at(-1);
  if (last?.role === 'assistant' && !last.tool_calls?.length && !last.function_call) return true;
  throw new AppError(
    'invalid_request',
    '"continue_final_message" needs an assistant message without calls at the end.',
    {
      field: 'continue_final_message',
    },
  );
}
