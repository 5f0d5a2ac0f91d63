import { randomBytes } from 'node:crypto';
import type { AssistantPart, Citation } from '../../../core/content.ts';
import type { Answer, Ending, FinishReason } from '../../../core/events.ts';
import { type Usage, unknownUsage } from '../../../core/usage.ts';
import type { AppliedEdit } from '../objects/context-edits.ts';
import { carryThought, signThought } from '../objects/signature.ts';
import type { MessageBlock } from './answer-schema.ts';
import { toUsage } from './usage.ts';
import { wholeObject } from './whole-object.ts';

/** What of a request shapes its answer. */
export interface AnswerWish {
  /** Thoughts are not shown; their signatures carry them. */
  omitsThinking: boolean;
  /** What was cleared of the conversation; null: nothing was asked for. Known once the answer begins. */
  appliedEdits(): AppliedEdit[] | null;
}

export type StopReason =
  | 'end_turn'
  | 'max_tokens'
  | 'stop_sequence'
  | 'tool_use'
  | 'pause_turn'
  | 'refusal'
  | 'model_context_window_exceeded';

const stopReasons: Readonly<Record<FinishReason, StopReason>> = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  context_full: 'model_context_window_exceeded',
  tool_calls: 'tool_use',
  refusal: 'refusal',
  content_filter: 'refusal',
  paused: 'pause_turn',
  // Its client is gone, or the server ended it with what there was.
  cancelled: 'end_turn',
};

/** How an answer ended, with all keys; null: it has not. */
export function toStop(ending: Pick<Ending, 'reason' | 'stopSequence'> | null) {
  const reason = ending === null ? null : stopReasons[ending.reason];
  return {
    stop_reason: reason,
    stop_sequence: reason === 'stop_sequence' ? (ending?.stopSequence ?? null) : null,
    stop_details: reason === 'refusal' ? { type: 'refusal' as const, category: null, explanation: null } : null,
  };
}

export function newMessageId(): string {
  return `msg_${randomBytes(12).toString('hex')}`;
}

/** Ids of calls look as Anthropic's do; what stands behind the prefix is ours. */
export function toCallId(id: string): string {
  return id.replace(/^call_/, 'toolu_');
}

/** A message that has only begun; `usage`: of its prompt, null: nobody knows yet. */
export function beginMessage(id: string, model: string, usage: Usage | null) {
  return {
    id,
    type: 'message' as const,
    role: 'assistant' as const,
    model,
    content: [],
    ...toStop(null),
    container: null,
    diagnostics: null,
    usage: toUsage(usage ?? unknownUsage),
  };
}

/** A whole answer. */
export function toMessage(id: string, answer: Answer, wish: AnswerWish) {
  const [choice] = answer.choices;
  const edits = wish.appliedEdits();
  return {
    ...beginMessage(id, answer.model, answer.usage),
    content: choice.blocks.flatMap((block) => toBlocks(block, wish)),
    ...toStop(choice),
    ...(edits !== null && { context_management: { applied_edits: edits } }),
  };
}

function toBlocks(block: AssistantPart, { omitsThinking }: AnswerWish): MessageBlock[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'text', text: block.text, citations: toCitations(block.citations ?? []) }];
    case 'reasoning':
      if (block.redactedData !== null) return [{ type: 'redacted_thinking', data: block.redactedData }];
      return [
        {
          type: 'thinking',
          thinking: omitsThinking ? '' : block.text,
          signature: block.signature ?? signatureOf(block.text, omitsThinking),
        },
      ];
    case 'tool-call':
      return [
        {
          type: 'tool_use',
          id: toCallId(block.id),
          name: block.name,
          // Of a call that was cut off: what is whole of it.
          input: block.argumentsText === undefined ? block.arguments : wholeObject(block.argumentsText),
          caller: { type: 'direct' },
        },
      ];
    case 'opaque':
      return block.dialect === 'anthropic' && isBlock(block.block) ? [block.block] : [];
    case 'image':
      return [];
  }
}

/** Whether a block that was kept as it came can be sent as one. */
export function isBlock(value: unknown): value is { type: string } {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function toCitations(citations: readonly Citation[]): unknown[] | null {
  const own = citations.filter(({ dialect }) => dialect === 'anthropic').map(({ raw }) => raw);
  return own.length === 0 ? null : own;
}

export function signatureOf(thought: string, omitsThinking: boolean): string {
  return omitsThinking ? carryThought(thought) : signThought(thought);
}
