import { parseArguments, type ReasoningPart } from '../../../core/content.ts';
import type { AppError } from '../../../core/errors.ts';
import type { Ending, StreamEvent, TokenLogprob } from '../../../core/events.ts';
import type { Usage } from '../../../core/usage.ts';
import { errorObject } from '../objects/errors.ts';
import type { ResponseAnswer } from './answer-schema.ts';
import { createCustomInput } from './custom-input.ts';
import { toResponseUsage, toSeconds } from './head.ts';
import { type Item, itemId } from './item.ts';
import type { GroupedName } from './namespaces.ts';
import {
  type CallNames,
  type ItemStatus,
  toClientItem,
  toCustomItem,
  toFunctionItem,
  toMessageItem,
  toReasoningItem,
  toTextLogprobs,
  toTextPart,
} from './output-items.ts';
import type { Sealed } from './sealed.ts';
import type { ToolKind } from './tools.ts';

/** An event of a response's stream. */
export interface ResponseEvent {
  type: string;
  sequence_number: number;
  [field: string]: unknown;
}

export interface WriterOptions {
  kinds: ReadonlyMap<string, ToolKind>;
  /** What the client calls tools of namespaces, by the name that the model sees. */
  groups: ReadonlyMap<string, GroupedName>;
  /** Whether reasoning comes as a summary. */
  isSummary: boolean;
  /** Seals reasoning; null: it was not asked for. */
  sealReasoning: Sealed['sealReasoning'] | null;
  providerId: () => string;
  nowMs: () => number;
}

/** Makes a response of the events of an answer, and the events of its own stream. */
export interface ResponseWriter {
  /** As it is by now. What it holds is not changed any more. */
  response(): ResponseAnswer;
  /** The first events of one that waits for its turn. */
  queue(): ResponseEvent[];
  write(event: StreamEvent): ResponseEvent[];
  /** Whether it has ended: nothing comes after its last event. */
  hasEnded(): boolean;
  fail(error: AppError): ResponseEvent[];
  cancel(): ResponseEvent[];
}

/** A block that is being written. `close` says what ends its item. */
interface OpenBlock {
  add(text: string, tokens: readonly TokenLogprob[]): void;
  close(status: ItemStatus): void;
}

export function createResponseWriter(first: ResponseAnswer, options: WriterOptions): ResponseWriter {
  let current = first;
  let sequence = 0;
  let out: ResponseEvent[] = [];
  let hasBegun = false;
  const emit = (type: string, fields: Record<string, unknown>) => {
    out.push({ type, sequence_number: sequence++, ...fields });
  };
  const taken = (): ResponseEvent[] => {
    const events = out;
    out = [];
    return events;
  };
  const tell = (type: string) => emit(type, { response: current });
  const addItem = (item: Item) => {
    current = { ...current, output: [...current.output, item] };
  };

  /** Tokens wait for the text that they wrote. */
  let waiting: TokenLogprob[] = [];
  let block: OpenBlock | null = null;
  // Whether a block is whole is known when something follows: its own end also comes where the answer was cut off.
  const closeBlock = (status: ItemStatus) => {
    block?.close(status);
    block = null;
  };
  const openBlock = (create: () => OpenBlock) => {
    // The place of the next item is behind that of this one.
    closeBlock('completed');
    block = create();
  };
  const placeOf = (type: string) => {
    const index = current.output.length;
    return { id: itemId(current.id, type, 'output', index), index };
  };
  const items: BlockDeps = { emit, addItem, placeOf, options, modelOf: () => current.model };

  const begin = (model: string) => {
    current = { ...current, model, status: 'in_progress' };
    if (!hasBegun) tell('response.created');
    hasBegun = true;
    tell('response.in_progress');
  };
  const end = (changes: Partial<ResponseAnswer>, type: string) => {
    current = { ...current, ...changes };
    tell(type);
  };

  const takeEvent = (event: StreamEvent): void => {
    if ('choice' in event && (event.choice ?? 0) !== 0) return;
    switch (event.type) {
      case 'start':
        begin(event.model);
        break;
      case 'logprobs':
        waiting.push(...event.tokens);
        break;
      case 'text-start':
        openBlock(() => createMessage(items));
        break;
      case 'reasoning-start':
        openBlock(() => createReasoning(items));
        break;
      case 'tool-call-start':
        openBlock(() => createCall(items, event));
        break;
      case 'text-delta':
      case 'reasoning-delta':
        if (event.text === '') break;
        block?.add(event.text, waiting);
        waiting = [];
        break;
      case 'tool-call-delta':
        block?.add(event.argumentsText, []);
        waiting = [];
        break;
      case 'redacted-reasoning':
        closeBlock('completed');
        addRedacted(items, event.data);
        break;
      case 'finish':
        finish(event, event.usage);
    }
  };
  const finish = (ending: Ending, usage: Usage) => {
    const reason = incompleteReason(ending.reason);
    const isWhole = reason === null && ending.reason !== 'cancelled';
    closeBlock(isWhole ? 'completed' : 'incomplete');
    const counted = { usage: toResponseUsage(usage) };
    if (isWhole) {
      end({ ...counted, status: 'completed', completed_at: toSeconds(options.nowMs()) }, 'response.completed');
      return;
    }
    const status = ending.reason === 'cancelled' ? 'cancelled' : 'incomplete';
    end({ ...counted, status, incomplete_details: reason && { reason } }, 'response.incomplete');
  };

  return {
    response: () => current,
    queue() {
      hasBegun = true;
      tell('response.created');
      tell('response.queued');
      return taken();
    },
    write(event) {
      takeEvent(event);
      return taken();
    },
    hasEnded: () => hasEnded(current),
    fail(error) {
      if (hasEnded(current)) return [];
      closeBlock('incomplete');
      const { message, param } = errorObject(error);
      end({ status: 'failed', error: { code: failureCode(error), message, param } }, 'response.failed');
      return taken();
    },
    cancel() {
      if (hasEnded(current)) return [];
      closeBlock('incomplete');
      end({ status: 'cancelled' }, 'response.incomplete');
      return taken();
    },
  };
}

export function hasEnded({ status }: Pick<ResponseAnswer, 'status'>): boolean {
  return status !== 'queued' && status !== 'in_progress';
}

/** The codes that OpenAI's clients know of a failed response; `message` says more. */
function failureCode(error: AppError): string {
  if (error.code === 'queue_full' || error.code === 'rate_limited') return 'rate_limit_exceeded';
  if (error.code === 'context_length_exceeded') return error.code;
  return error.status >= 500 ? 'server_error' : 'invalid_prompt';
}

function incompleteReason(reason: Ending['reason']): 'max_output_tokens' | 'content_filter' | null {
  if (reason === 'length' || reason === 'context_full') return 'max_output_tokens';
  return reason === 'content_filter' || reason === 'refusal' ? 'content_filter' : null;
}

/** What a block needs to put its item into the response. */
interface BlockDeps {
  emit(type: string, fields: Record<string, unknown>): void;
  addItem(item: Item): void;
  placeOf(type: string): { id: string; index: number };
  options: WriterOptions;
  modelOf(): string;
}

/** A message with one text. It begins with its first letter: a text without any is no message. */
function createMessage({ emit, addItem, placeOf }: BlockDeps): OpenBlock {
  let text = '';
  const logprobs: object[] = [];
  const { id, index } = placeOf('message');
  const place = { item_id: id, output_index: index, content_index: 0 };
  return {
    add(delta, tokens) {
      if (text === '') {
        emit('response.output_item.added', { output_index: index, item: toMessageItem(id, 'in_progress', []) });
        emit('response.content_part.added', { ...place, part: toTextPart('', []) });
      }
      text += delta;
      const added = toTextLogprobs(tokens);
      logprobs.push(...added);
      emit('response.output_text.delta', { ...place, delta, logprobs: added });
    },
    close(status) {
      if (text === '') return;
      const part = toTextPart(text, logprobs);
      const item = toMessageItem(id, status, [part]);
      emit('response.output_text.done', { ...place, text, logprobs });
      emit('response.content_part.done', { ...place, part });
      emit('response.output_item.done', { output_index: index, item });
      addItem(item);
    },
  };
}

/** Reasoning, as text or as one summary. */
function createReasoning({ emit, addItem, placeOf, options, modelOf }: BlockDeps): OpenBlock {
  const { isSummary, sealReasoning } = options;
  let text = '';
  const { id, index } = placeOf('reasoning');
  const begun = { item_id: id, output_index: index };
  const place = isSummary ? { ...begun, summary_index: 0 } : { ...begun, content_index: 0 };
  const kind = isSummary ? 'reasoning_summary_text' : 'reasoning_text';
  const part = isSummary ? 'reasoning_summary_part' : 'content_part';
  const toPart = () => ({ type: isSummary ? 'summary_text' : 'reasoning_text', text });
  const thought = (encrypted: string | null) => ({ text, isSummary, encrypted });
  return {
    add(delta) {
      if (text === '') {
        emit('response.output_item.added', {
          output_index: index,
          item: toReasoningItem(id, 'in_progress', thought(null)),
        });
        emit(`response.${part}.added`, { ...place, part: toPart() });
      }
      text += delta;
      emit(`response.${kind}.delta`, { ...place, delta });
    },
    close(status) {
      if (text === '') return;
      const encrypted = sealReasoning?.({
        text,
        signature: null,
        redactedData: null,
        origin: originOf(options, modelOf),
      });
      const item = toReasoningItem(id, status, thought(encrypted ?? null));
      emit(`response.${kind}.done`, { ...place, text });
      emit(`response.${part}.done`, { ...place, part: toPart() });
      emit('response.output_item.done', { output_index: index, item });
      addItem(item);
    },
  };
}

function originOf({ providerId }: WriterOptions, modelOf: () => string): ReasoningPart['origin'] {
  return { provider: providerId(), model: modelOf() };
}

/** Reasoning that only its maker can read comes whole; it is of use where it may be sent back. */
function addRedacted({ emit, addItem, placeOf, options, modelOf }: BlockDeps, data: string): void {
  if (options.sealReasoning === null) return;
  const { id, index } = placeOf('reasoning');
  const origin = originOf(options, modelOf);
  const encrypted = options.sealReasoning({ text: '', signature: null, redactedData: data, origin });
  const item = toReasoningItem(id, 'completed', { text: '', isSummary: options.isSummary, encrypted });
  emit('response.output_item.added', { output_index: index, item });
  emit('response.output_item.done', { output_index: index, item });
  addItem(item);
}

function createCall(deps: BlockDeps, event: { id: string; name: string }): OpenBlock {
  const kind = deps.options.kinds.get(event.name) ?? 'function';
  if (kind === 'custom') return createCustomCall(deps, event);
  if (kind === 'function') return createFunctionCall(deps, event);
  return createClientCall(deps, event, kind);
}

const namesOf = ({ groups }: WriterOptions, id: string, event: { id: string; name: string }): CallNames => ({
  id,
  callId: event.id,
  ...(groups.get(event.name) ?? { name: event.name }),
});

function createFunctionCall(deps: BlockDeps, event: { id: string; name: string }): OpenBlock {
  const { emit, addItem, placeOf, options } = deps;
  const { id, index } = placeOf('function_call');
  const names = namesOf(options, id, event);
  const place = { item_id: id, output_index: index };
  let text = '';
  const add = (delta: string) => {
    if (delta === '') return;
    text += delta;
    emit('response.function_call_arguments.delta', { ...place, delta });
  };
  emit('response.output_item.added', { output_index: index, item: toFunctionItem(names, 'in_progress', '') });
  return {
    add,
    close(status) {
      // Of a call that was cut off before them it must not look as if there were none.
      if (text === '' && status === 'completed') add('{}');
      const item = toFunctionItem(names, status, text);
      emit('response.function_call_arguments.done', { ...place, arguments: text });
      emit('response.output_item.done', { output_index: index, item });
      addItem(item);
    },
  };
}

function createCustomCall(deps: BlockDeps, event: { id: string; name: string }): OpenBlock {
  const { emit, addItem, placeOf, options } = deps;
  const { id, index } = placeOf('custom_tool_call');
  const names = namesOf(options, id, event);
  const place = { item_id: id, output_index: index };
  const input = createCustomInput();
  let sent = '';
  const send = (delta: string) => {
    if (delta === '') return;
    sent += delta;
    emit('response.custom_tool_call_input.delta', { ...place, delta });
  };
  emit('response.output_item.added', { output_index: index, item: toCustomItem(names, 'in_progress', '') });
  return {
    add: (json) => send(input.push(json)),
    close(status) {
      const whole = input.end();
      if (sent === '') send(whole);
      const item = toCustomItem(names, status, whole);
      emit('response.custom_tool_call_input.done', { ...place, input: whole });
      emit('response.output_item.done', { output_index: index, item });
      addItem(item);
    },
  };
}

/** Calls without events of their own: the item comes when it is whole. */
function createClientCall(
  deps: BlockDeps,
  event: { id: string; name: string },
  kind: 'apply_patch' | 'local_shell',
): OpenBlock {
  const { emit, addItem, placeOf } = deps;
  let text = '';
  return {
    add(json) {
      text += json;
    },
    close(status) {
      const { id, index } = placeOf(`${kind}_call`);
      const names: CallNames = { id, callId: event.id, name: event.name };
      const item = status === 'completed' ? toClientItem(kind, names, parseArguments(text)) : null;
      if (item === null) {
        const call = createFunctionCall(deps, event);
        call.add(text, []);
        call.close(status);
        return;
      }
      emit('response.output_item.added', { output_index: index, item: { ...item, status: 'in_progress' } });
      emit('response.output_item.done', { output_index: index, item });
      addItem(item);
    },
  };
}
