import type { FinishReason, StreamEvent } from '../../core/events.ts';
import { type Usage, unknownTimings, unknownUsage } from '../../core/usage.ts';
import { createChoiceBlocks } from './blocks.ts';
import { failureOf } from './errors.ts';
import { cutOff } from './from-wire.ts';
import type { AnswerReader, ReaderDeps } from './reader.ts';
import { laterUsage, toUsage, withServedTier } from './usage.ts';
import { isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** Reads a relayed `/responses`: its events, or the whole object. What it does not know passes to the client all the same. */
export function createResponsesReader(deps: ReaderDeps): AnswerReader {
  let blockIds = 0;
  const blocks = createChoiceBlocks(() => blockIds++, {}, deps.provider);
  let usage: Usage = unknownUsage;
  let hasStarted = false;
  let refuses = false;
  /** The response as it ended; null: it has not. */
  let ended: Json | null = null;
  /** Calls whose arguments came in pieces already. */
  const told = new Set<unknown>();

  const take = (response: Json): StreamEvent[] => {
    if (isJson(response['usage'])) usage = laterUsage(usage, toUsage(response['usage'], deps.row));
    usage = withServedTier(usage, response);
    if (hasStarted) return [];
    hasStarted = true;
    const model = textAt(response, 'model') ?? deps.model;
    return [{ type: 'start', responseId: textAt(response, 'id'), model, usage, warnings: deps.warnings }];
  };
  const call = (item: Json, index: number | null, argumentsText: string): StreamEvent[] =>
    blocks.call({
      index,
      id: textAt(item, 'call_id') ?? textAt(item, 'id'),
      name: textAt(item, 'name'),
      argumentsText,
    });
  const finishWith = (response: Json): StreamEvent[] => {
    const error = response['status'] === 'failed' ? failureOf({ error: jsonAt(response, 'error') }, deps) : null;
    if (error) throw error;
    ended = response;
    return take(response);
  };
  const wholeItem = (item: unknown): StreamEvent[] => {
    if (!isJson(item)) return [];
    if (isCall(item)) return call(item, null, textAt(item, 'arguments') ?? textAt(item, 'input') ?? '{}');
    const isReasoning = item['type'] === 'reasoning';
    return [...listAt(item, 'content'), ...listAt(item, 'summary')].flatMap((part) => {
      if (textAt(part, 'refusal') !== null) refuses = true;
      const text = textAt(part, 'text') ?? textAt(part, 'refusal') ?? '';
      return isReasoning ? blocks.reasoning(text) : blocks.text(text);
    });
  };

  const readEvent = (event: Json, type: string): StreamEvent[] => {
    const index = typeof event['output_index'] === 'number' ? event['output_index'] : null;
    const delta = textAt(event, 'delta') ?? '';
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        return take(jsonAt(event, 'response'));
      case 'response.output_text.delta':
        return blocks.text(delta);
      case 'response.refusal.delta':
        refuses = true;
        return blocks.text(delta);
      case 'response.reasoning_text.delta':
      case 'response.reasoning_summary_text.delta':
        return blocks.reasoning(delta);
      case 'response.output_item.added':
        return isCall(jsonAt(event, 'item')) ? call(jsonAt(event, 'item'), index, '') : [];
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        told.add(index);
        return blocks.call({ index, id: null, name: null, argumentsText: delta });
      case 'response.function_call_arguments.done':
      case 'response.custom_tool_call_input.done': {
        // Some servers send the arguments only here.
        if (told.has(index)) return [];
        const argumentsText = textAt(event, 'arguments') ?? textAt(event, 'input') ?? '';
        return blocks.call({ index, id: null, name: null, argumentsText });
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        return finishWith(jsonAt(event, 'response'));
      case 'error': {
        const failure = failureOf({ error: isJson(event['error']) ? event['error'] : event }, deps);
        throw failure ?? cutOff(deps.provider);
      }
      default:
        return [];
    }
  };

  return {
    read(json) {
      if (!isJson(json)) return [];
      const type = textAt(json, 'type');
      if (type !== null) return readEvent(json, type);
      const failure = json['object'] === 'response' ? null : failureOf(json, deps);
      if (failure) throw failure;
      return [...finishWith(json), ...listAt(json, 'output').flatMap(wholeItem)];
    },
    isOver: () => ended !== null,
    end() {
      if (!ended) throw cutOff(deps.provider);
      const rest = blocks.end();
      const { reason, raw } = reasonOf(ended, refuses, blocks.calls());
      return [...rest, { type: 'finish', reason, rawReason: raw, stopSequence: null, usage, timings: unknownTimings }];
    },
  };
}

function isCall(item: Json): boolean {
  return item['type'] === 'function_call' || item['type'] === 'custom_tool_call';
}

function reasonOf(response: Json, refuses: boolean, calls: boolean): { reason: FinishReason; raw: string | null } {
  const raw = textAt(jsonAt(response, 'incomplete_details'), 'reason') ?? textAt(response, 'status');
  // It was taken into the background, and is made while nobody waits.
  if (raw === 'queued' || raw === 'in_progress') return { reason: 'paused', raw };
  if (raw === 'max_output_tokens') return { reason: 'length', raw };
  if (raw === 'content_filter') return { reason: 'content_filter', raw };
  if (refuses) return { reason: 'refusal', raw };
  return { reason: calls ? 'tool_calls' : 'stop', raw };
}
