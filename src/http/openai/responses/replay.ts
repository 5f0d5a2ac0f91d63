import type { ResponseAnswer } from './answer-schema.ts';
import type { ResponseEvent } from './from-core.ts';
import type { Item } from './item.ts';

/** The events of a response that has ended and whose own are not kept: each text comes in one piece. */
export function replayOf(response: ResponseAnswer): ResponseEvent[] {
  const events: ResponseEvent[] = [];
  const emit = (type: string, fields: Record<string, unknown>) => {
    events.push({ type, sequence_number: events.length, ...fields });
  };
  const begun: ResponseAnswer = {
    ...response,
    status: 'in_progress',
    completed_at: null,
    error: null,
    incomplete_details: null,
    output: [],
    usage: null,
  };
  emit('response.created', { response: begun });
  emit('response.in_progress', { response: begun });
  for (const [index, item] of response.output.entries()) replayItem(item, index, emit);
  const last = ['completed', 'failed'].includes(response.status) ? response.status : 'incomplete';
  emit(`response.${last}`, { response });
  return events;
}

function replayItem(item: Item, index: number, emit: (type: string, fields: Record<string, unknown>) => void): void {
  const place = { item_id: item.id, output_index: index };
  const emptied = { ...item, ...emptyFields(item), ...('status' in item && { status: 'in_progress' }) };
  emit('response.output_item.added', { output_index: index, item: emptied });
  switch (item.type) {
    case 'message':
      for (const [at, part] of partsOf(item, 'content').entries()) {
        const { text, logprobs = [] } = part;
        const where = { ...place, content_index: at };
        emit('response.content_part.added', { ...where, part: { ...part, text: '', logprobs: [] } });
        emit('response.output_text.delta', { ...where, delta: text, logprobs });
        emit('response.output_text.done', { ...where, text, logprobs });
        emit('response.content_part.done', { ...where, part });
      }
      break;
    case 'reasoning':
      for (const [at, part] of partsOf(item, 'content').entries()) {
        replayThought({ ...place, content_index: at }, part, ['content_part', 'reasoning_text'], emit);
      }
      for (const [at, part] of partsOf(item, 'summary').entries()) {
        replayThought(
          { ...place, summary_index: at },
          part,
          ['reasoning_summary_part', 'reasoning_summary_text'],
          emit,
        );
      }
      break;
    case 'function_call':
      emit('response.function_call_arguments.delta', { ...place, delta: item['arguments'] });
      emit('response.function_call_arguments.done', { ...place, arguments: item['arguments'] });
      break;
    case 'custom_tool_call':
      emit('response.custom_tool_call_input.delta', { ...place, delta: item['input'] });
      emit('response.custom_tool_call_input.done', { ...place, input: item['input'] });
      break;
  }
  emit('response.output_item.done', { output_index: index, item });
}

function replayThought(
  place: object,
  part: Readonly<Record<string, unknown>>,
  [partName, textName]: readonly [string, string],
  emit: (type: string, fields: Record<string, unknown>) => void,
): void {
  const { text } = part;
  emit(`response.${partName}.added`, { ...place, part: { ...part, text: '' } });
  emit(`response.${textName}.delta`, { ...place, delta: text });
  emit(`response.${textName}.done`, { ...place, text });
  emit(`response.${partName}.done`, { ...place, part });
}

/** What an item holds when it begins. */
function emptyFields({ type }: Item): Record<string, unknown> {
  switch (type) {
    case 'message':
      return { content: [] };
    case 'reasoning':
      return { summary: [], encrypted_content: null };
    case 'function_call':
      return { arguments: '' };
    case 'custom_tool_call':
      return { input: '' };
    default:
      return {};
  }
}

function partsOf(item: Item, name: string): Record<string, unknown>[] {
  const parts = item[name];
  return Array.isArray(parts) ? parts : [];
}
