import { AppError } from '../../core/errors.ts';
import type { Ending, FinishReason, StreamEvent } from '../../core/events.ts';
import { type Usage, unknownTimings, unknownUsage } from '../../core/usage.ts';
import { type ChoiceBlocks, createChoiceBlocks } from './blocks.ts';
import { failureOf, unreadable } from './errors.ts';
import { toLogprobs } from './logprobs.ts';
import type { AnswerReader, ReaderDeps } from './reader.ts';
import { laterUsage, toUsage, withServedTier } from './usage.ts';
import { isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** What is known of one choice while it comes. */
interface OpenChoice {
  blocks: ChoiceBlocks;
  rawReason: string | null;
  stopSequence: string | null;
  refuses: boolean;
  hasContent: boolean;
}

/**
 * Reads chat completions and completions: chunks, or the whole object. Blocks are ended at the end of the answer and not at
 * a `finish_reason`: some services send one with every chunk.
 */
export function createCompletionReader(deps: ReaderDeps): AnswerReader {
  const choices = new Map<number, OpenChoice>();
  let blockIds = 0;
  let usage: Usage = unknownUsage;
  let hasStarted = false;

  const choiceOf = (index: number): OpenChoice => {
    const known = choices.get(index);
    if (known) return known;
    const tag = deps.choices > 1 ? { choice: index } : {};
    const blocks = createChoiceBlocks(() => blockIds++, tag, deps.provider);
    const choice: OpenChoice = { blocks, rawReason: null, stopSequence: null, refuses: false, hasContent: false };
    choices.set(index, choice);
    return choice;
  };

  const start = (json: Json): StreamEvent[] => {
    if (hasStarted) return [];
    hasStarted = true;
    const fingerprint = textAt(json, 'system_fingerprint');
    return [
      {
        type: 'start',
        responseId: textAt(json, 'id'),
        model: textAt(json, 'model') ?? deps.model,
        usage,
        warnings: deps.warnings,
        ...(fingerprint !== null && { fingerprint }),
      },
    ];
  };

  const readChoice = (raw: Json): StreamEvent[] => {
    const index = typeof raw['index'] === 'number' ? raw['index'] : 0;
    if (index >= deps.choices) return [];
    const choice = choiceOf(index);
    choice.rawReason = textAt(raw, 'finish_reason') ?? choice.rawReason;
    // vLLM names the stop string, or the number of the token that ended it.
    choice.stopSequence = textAt(raw, 'stop_reason') ?? choice.stopSequence;
    const tokens = toLogprobs(raw['logprobs']);
    const events: StreamEvent[] = [];
    if (tokens.length > 0) events.push({ type: 'logprobs', tokens, ...(deps.choices > 1 && { choice: index }) });
    events.push(...readDelta(raw, choice, deps));
    if (events.length > 0) choice.hasContent = true;
    return events;
  };

  /** The choice of which the last record that was only text was a piece. */
  let lastIndex = 0;

  return {
    onlyText(json) {
      const [raw, ...others] = listAt(json, 'choices');
      if (!isJson(raw) || others.length > 0 || (isJson(json) && json['usage'])) return null;
      const index = typeof raw['index'] === 'number' ? raw['index'] : 0;
      if (index >= deps.choices) return null;
      lastIndex = index;
      return onlyTextOf(raw);
    },
    again(text) {
      const choice = choiceOf(lastIndex);
      const events = choice.blocks.text(text);
      if (events.length > 0) choice.hasContent = true;
      return events;
    },
    read(json) {
      const failure = failureOf(json, deps);
      if (failure) throw failure;
      if (!isJson(json)) throw unreadable({ status: 200, headers: {}, text: JSON.stringify(json) ?? '' }, deps);
      if (json['usage']) usage = laterUsage(usage, toUsage(json['usage'], deps.row));
      usage = withServedTier(usage, json);
      return [...start(json), ...listAt(json, 'choices').filter(isJson).flatMap(readChoice)];
    },
    end(hasEnded) {
      const all = [...choices.entries()].sort(([a], [b]) => a - b);
      const isWhole = all.length > 0 && all.every(([, { rawReason }]) => rawReason !== null);
      if (!isWhole && !(hasEnded && all.some(([, { hasContent }]) => hasContent))) throw cutOff(deps.provider);
      const events: StreamEvent[] = [];
      const endings = all.map(([index, choice]) => {
        events.push(...choice.blocks.end());
        const ending = endingOf(choice, deps.provider);
        if (deps.choices > 1) events.push({ type: 'choice-end', choice: index, ...ending });
        return ending;
      });
      return [...events, { type: 'finish', ...endings[0]!, usage, timings: unknownTimings }];
    },
  };
}

/** The content of a piece that says nothing else which is to be told again when it comes again; null: it is another one. */
function onlyTextOf(raw: Json): string | null {
  const { delta } = raw;
  if (!isJson(delta) || raw['logprobs'] || 'message' in raw || 'text' in raw) return null;
  const isOther = ([name, value]: [string, unknown]) => name !== 'content' && name !== 'role' && value !== null;
  return Object.entries(delta).some(isOther) ? null : textAt(delta, 'content');
}

/** The content of a choice: `delta` of a chunk, `message` of a whole answer, `text` of a completion. */
function readDelta(raw: Json, choice: OpenChoice, deps: ReaderDeps): StreamEvent[] {
  const { blocks } = choice;
  const delta = isJson(raw['delta']) ? raw['delta'] : jsonAt(raw, 'message');
  const events: StreamEvent[] = [...blocks.reasoning(reasoningOf(delta))];
  const text = textAt(raw, 'text') ?? contentOf(delta['content']);
  if (isThought(delta)) events.push(...blocks.reasoning(text.replace(/<\/?thought>/g, '')));
  else events.push(...blocks.text(text));
  const refusal = textAt(delta, 'refusal');
  if (refusal !== null) {
    choice.refuses = true;
    events.push(...blocks.text(refusal));
  }
  const isWhole = isJson(raw['message']);
  for (const [place, call] of callsOf(delta).entries()) {
    const called = isJson(call['function']) ? call['function'] : jsonAt(call, 'custom');
    const id = textAt(call, 'id');
    if (id !== null) deps.signatures.keep(id, call);
    const index = typeof call['index'] === 'number' ? call['index'] : isWhole ? place : null;
    const argumentsText = argumentsOf(called['arguments'] ?? called['input'], isWhole);
    events.push(...blocks.call({ index, id, name: textAt(called, 'name'), argumentsText }));
  }
  return events;
}

/** What the model thought; one of the two names, and some services send both with the same text. */
function reasoningOf(delta: Json): string {
  return textAt(delta, 'reasoning_content') ?? textAt(delta, 'reasoning') ?? '';
}

/** Gemini's thoughts are content with a mark, between tags. */
function isThought(delta: Json): boolean {
  return jsonAt(jsonAt(delta, 'extra_content'), 'google')['thought'] === true;
}

/** A text, or parts of which some services make it. */
function contentOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => textAt(part, 'text') ?? '').join('');
}

/** Calls, also in the older form, which has one at most. */
function callsOf(delta: Json): Json[] {
  const calls = listAt(delta, 'tool_calls').filter(isJson);
  const older = delta['function_call'];
  return isJson(older) ? [...calls, { index: 0, function: older }] : calls;
}

/** The text of arguments; some services send the value itself, which is whole then. */
function argumentsOf(value: unknown, isWhole: boolean): string {
  if (typeof value === 'string') return isWhole && value.trim() === '' ? '{}' : value;
  if (value === undefined || value === null) return isWhole ? '{}' : '';
  return JSON.stringify(value);
}

const reasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop_sequence',
  length: 'length',
  max_tokens: 'length',
  model_length: 'context_full',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
  recitation: 'content_filter',
  blocklist: 'content_filter',
  prohibited_content: 'content_filter',
  sensitive: 'content_filter',
  refusal: 'refusal',
};

/** Words for an answer that its service gave up: what is there is not the answer. */
const givenUp: Readonly<Record<string, 'upstream_overloaded' | 'upstream_unavailable'>> = {
  insufficient_system_resource: 'upstream_overloaded',
  abort: 'upstream_unavailable',
  error: 'upstream_unavailable',
};

function endingOf({ rawReason, stopSequence, refuses, blocks }: OpenChoice, provider: string): Ending {
  const word = rawReason?.toLowerCase() ?? 'stop';
  const code = Object.hasOwn(givenUp, word) ? givenUp[word] : undefined;
  if (code) throw new AppError(code, `${provider} gave its answer up ("${word}").`, { details: { provider } });
  // A filter that names its own kinds is a filter (`content_filter: hate`).
  const known = Object.hasOwn(reasons, word) ? reasons[word]! : /filter/.test(word) ? 'content_filter' : 'stop';
  return { reason: finer(known, { stopSequence, refuses, calls: blocks.calls() }), rawReason, stopSequence };
}

/** Services say "stop" of answers that call a tool, that refuse, or that a stop string ended. */
function finer(
  reason: FinishReason,
  { stopSequence, refuses, calls }: { stopSequence: string | null; refuses: boolean; calls: boolean },
): FinishReason {
  if (reason !== 'stop') return reason;
  if (calls) return 'tool_calls';
  if (refuses) return 'refusal';
  return stopSequence === null ? 'stop' : 'stop_sequence';
}

/** The connection ended before the answer did. */
export function cutOff(provider: string): AppError {
  return new AppError('upstream_unavailable', `${provider} ended its answer before it was whole.`, {
    details: { provider },
  });
}
