import type { StreamEvent } from '../../../core/events.ts';
import type { Usage } from '../../../core/usage.ts';
import type { SseItem } from '../../answer/answer.ts';
import { type AnswerWish, beginMessage, isBlock, signatureOf, toCallId, toStop } from './from-core.ts';
import { toFinalUsage } from './usage.ts';
import { createWholeObject, type WholeObject } from './whole-object.ts';

/** What a stream says while nothing else happens. */
export const pingRecord: SseItem = { event: 'ping', data: { type: 'ping' } };

/** The first record; `usage`: of the prompt, null: nobody knows yet. */
export function startRecord(id: string, model: string, usage: Usage | null): SseItem {
  return { event: 'message_start', data: { type: 'message_start', message: beginMessage(id, model, usage) } };
}

/** The block that is open: what it adds up to as long as it is. */
type OpenBlock = { kind: 'text' } | { kind: 'thinking'; thought: string } | { kind: 'tool_use'; input: WholeObject };

/**
 * An answer as records of its event stream. `hasBegun`: its `message_start` is out already. Throws whatever the events
 * throw.
 */
export async function* toMessageRecords(
  id: string,
  events: AsyncIterable<StreamEvent>,
  wish: AnswerWish & { hasBegun: boolean },
): AsyncGenerator<SseItem> {
  const write = createRecordWriter(id, wish);
  let finished = false;
  // One by one: `yield*` of a list costs an asynchronous generator several turns for each item.
  for await (const event of events) {
    for (const item of write(event)) yield item;
    finished ||= event.type === 'finish';
  }
  if (!finished) throw new Error('the event stream ended without a finish event');
}

function createRecordWriter(id: string, wish: AnswerWish & { hasBegun: boolean }): (event: StreamEvent) => SseItem[] {
  let index = -1;
  let open: OpenBlock | null = null;

  const deltaOf = (delta: object): SseItem => ({
    event: 'content_block_delta',
    data: { type: 'content_block_delta', index, delta },
  });
  const stop = (): SseItem => ({ event: 'content_block_stop', data: { type: 'content_block_stop', index } });
  /** What is open is closed first: there is one block at a time. */
  const close = (signature: string | null = null): SseItem[] => {
    const block = open;
    open = null;
    switch (block?.kind) {
      case undefined:
        return [];
      case 'text':
        return [stop()];
      case 'thinking': {
        const own = signature ?? signatureOf(block.thought, wish.omitsThinking);
        return [deltaOf({ type: 'signature_delta', signature: own }), stop()];
      }
      case 'tool_use': {
        const rest = block.input.end();
        return [...(rest === '' ? [] : [deltaOf({ type: 'input_json_delta', partial_json: rest })]), stop()];
      }
    }
  };
  const begin = (block: OpenBlock | null, content_block: object): SseItem[] => {
    const closed = close();
    index++;
    open = block;
    const data = { type: 'content_block_start', index, content_block };
    return [...closed, { event: 'content_block_start', data }];
  };
  /** A block that comes whole. */
  const whole = (content_block: object): SseItem[] => [...begin(null, content_block), stop()];

  return (event) => {
    switch (event.type) {
      case 'start':
        return wish.hasBegun ? [] : [startRecord(id, event.model, event.usage)];
      case 'text-start':
        return begin({ kind: 'text' }, { type: 'text', text: '', citations: null });
      case 'text-delta':
        return event.text === '' ? [] : [deltaOf({ type: 'text_delta', text: event.text })];
      case 'citation':
        return event.citation.dialect === 'anthropic'
          ? [deltaOf({ type: 'citations_delta', citation: event.citation.raw })]
          : [];
      case 'reasoning-start':
        return begin({ kind: 'thinking', thought: '' }, { type: 'thinking', thinking: '', signature: '' });
      case 'reasoning-delta':
        if (open?.kind === 'thinking') open.thought += event.text;
        return wish.omitsThinking || event.text === ''
          ? []
          : [deltaOf({ type: 'thinking_delta', thinking: event.text })];
      case 'redacted-reasoning':
        return whole({ type: 'redacted_thinking', data: event.data });
      case 'tool-call-start':
        return begin(
          { kind: 'tool_use', input: createWholeObject() },
          { type: 'tool_use', id: toCallId(event.id), name: event.name, input: {}, caller: { type: 'direct' } },
        );
      case 'tool-call-delta': {
        const text = open?.kind === 'tool_use' ? open.input.push(event.argumentsText) : '';
        return text === '' ? [] : [deltaOf({ type: 'input_json_delta', partial_json: text })];
      }
      case 'reasoning-end':
        return close(event.signature);
      case 'text-end':
      case 'tool-call-end':
        return close();
      case 'opaque':
        return event.dialect === 'anthropic' && isBlock(event.block) ? whole(event.block) : [];
      case 'finish': {
        const edits = wish.appliedEdits();
        const data = {
          type: 'message_delta',
          delta: { ...toStop(event), container: null },
          usage: toFinalUsage(event.usage),
          ...(edits !== null && { context_management: { applied_edits: edits } }),
        };
        return [
          ...close(),
          { event: 'message_delta', data },
          { event: 'message_stop', data: { type: 'message_stop' } },
        ];
      }
      default:
        return [];
    }
  };
}
