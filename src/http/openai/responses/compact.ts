import type { ChatRequest } from '../../../core/chat.ts';
import { textOf } from '../../../core/content.ts';
import type { Answer } from '../../../core/events.ts';
import type { PlacedItem } from './conversation.ts';
import { toResponseUsage, toSeconds } from './head.ts';
import { itemId, newResponseId } from './item.ts';
import { toStoredItems } from './kept-responses.ts';
import type { Sealed } from './sealed.ts';

/** Most tokens of a summary: room for what an agent needs to go on, and short beside what it replaces. */
const maxSummaryTokens = 1_024;

const task =
  'Summarise this conversation for somebody who has to go on with it and cannot read it. Say what the user wants, what was ' +
  'decided and done, which files, names and values matter, what the tools reported, and what is still to be done. Write ' +
  'the summary only.';

const introduction = 'Summary of the conversation so far:\n\n';

/** The request for a summary of a conversation; `asked`: as a response to it would be asked for. */
export function toSummaryRequest(asked: ChatRequest): ChatRequest {
  const { input } = asked;
  if (input.type !== 'chat') return asked;
  return {
    model: asked.model,
    input: {
      type: 'chat',
      messages: [...input.messages, { role: 'user', content: [{ type: 'text', text: task }] }],
      tools: [],
      toolChoice: { type: 'none' },
    },
    sampling: { temperature: 0 },
    stop: [],
    maxTokens: maxSummaryTokens,
    reasoning: { mode: 'off' },
  };
}

/** What a conversation has become: what the user said, and the summary of everything, which only this server can read. */
export function toCompaction(
  items: readonly PlacedItem[],
  summary: Answer,
  { sealed, nowMs }: { sealed: Sealed; nowMs: number },
) {
  const id = newResponseId();
  const said = items.filter(({ item }) => (item.type ?? 'message') === 'message' && item['role'] === 'user');
  const text = introduction + textOf(summary.choices[0].blocks).trim();
  const compaction = {
    id: itemId(id, 'compaction', 'output', said.length),
    type: 'compaction',
    encrypted_content: sealed.sealSummary(text),
  };
  return {
    id,
    object: 'response.compaction' as const,
    created_at: toSeconds(nowMs),
    output: [...toStoredItems(id, said), compaction],
    usage: toResponseUsage(summary.usage),
  };
}
