import type { Citation } from '../../core/content.ts';
import type { BlockEvent, FinishReason, StreamEvent, Warning } from '../../core/events.ts';
import { unknownTimings } from '../../core/usage.ts';
import { brokenAnswer } from './broken-answer.ts';
import { isObject, type JsonObject, listAt, numberAt, objectAt, textAt } from './json.ts';
import { mergeUsage, toUsage } from './usage.ts';

/** Reads the events of one answer, in order; the relayed and the translated way both hear the answer through it. */
export interface EventMapper {
  /**
   * What an event says, in the words of the core; nothing for events of kinds that nobody knows yet. Throws
   * `upstream_unavailable` for an order that no answer has. `error` events are not for it.
   */
  push(event: JsonObject): StreamEvent[];
  /** What is left to say at the end of the bytes. Throws `upstream_unavailable` where the answer has not ended by then. */
  end(): StreamEvent[];
  /** Whether the answer has said its last word, by its `message_stop`. */
  readonly isWhole: boolean;
}

/** How to read an answer. `toolName`: the name as the client has it. */
interface Reading {
  provider: string;
  warnings: readonly Warning[];
  toolName: (name: string) => string;
}

/** What a block has become by now, and what is told of it later, when the blocks before it have ended. */
interface OpenBlock {
  /** Null: a block that only the API knows; it is told whole. */
  kind: 'text' | 'reasoning' | 'tool-call' | null;
  blockId: number;
  /** As it began, with what was added. */
  raw: JsonObject;
  /** Text of the input of a call of whatever kind. */
  input: string;
  signature: string | null;
  waiting: BlockEvent[];
  hasEnded: boolean;
}

export function createEventMapper(reading: Reading): EventMapper {
  const { provider } = reading;
  let head: JsonObject | null = null;
  let last: JsonObject = {};
  let usage: JsonObject = {};
  let hasStopReason = false;
  let isWhole = false;
  let isFinished = false;
  let nextId = 0;
  /** By the index of the wire; in the order in which they began. */
  const blocks = new Map<number, OpenBlock>();
  let out: StreamEvent[] = [];

  /** Blocks come one after the other: what comes of a later one while an earlier is open waits. */
  const tell = (block: OpenBlock, event: BlockEvent) => {
    const [first] = blocks.values();
    if (first === block) out.push(event);
    else block.waiting.push(event);
  };
  const close = (block: OpenBlock) => {
    block.hasEnded = true;
    for (const [index, first] of blocks) {
      out.push(...first.waiting.splice(0));
      if (!first.hasEnded) return;
      blocks.delete(index);
    }
  };
  const openAt = (event: JsonObject): OpenBlock => {
    const block = blocks.get(numberAt(event, 'index') ?? -1);
    if (block === undefined) throw brokenAnswer(provider, 'sent a piece of a block that it had not begun');
    return block;
  };
  const endBlock = (block: OpenBlock) => {
    if (block.hasEnded) return;
    for (const event of endOf(block)) tell(block, event);
    close(block);
  };
  const finish = (stopped: JsonObject) => {
    for (const block of [...blocks.values()]) endBlock(block);
    if (isFinished) return;
    isFinished = true;
    const rawReason = textAt(stopped, 'stop_reason');
    out.push({
      type: 'finish',
      reason: reasonOf(rawReason),
      rawReason,
      stopSequence: textAt(stopped, 'stop_sequence'),
      usage: toUsage(usage),
      timings: unknownTimings,
      extra: { anthropic: restOf(stopped) },
    });
  };

  const steps: Readonly<Record<string, (event: JsonObject) => void>> = {
    message_start(event) {
      if (head !== null) throw brokenAnswer(provider, 'began its answer twice');
      head = objectAt(event, 'message') ?? {};
      last = head;
      usage = mergeUsage(usage, objectAt(head, 'usage'));
      hasStopReason = textAt(head, 'stop_reason') !== null;
      out.push({
        type: 'start',
        responseId: textAt(head, 'id'),
        model: textAt(head, 'model') ?? '',
        usage: toUsage(usage),
        warnings: reading.warnings,
      });
    },
    content_block_start(event) {
      const index = numberAt(event, 'index') ?? -1;
      const raw = objectAt(event, 'content_block');
      if (head === null || raw === null || blocks.has(index))
        throw brokenAnswer(provider, 'began a block out of order');
      const block = beginBlock(raw, nextId++);
      blocks.set(index, block);
      for (const begun of beginningOf(block, reading.toolName)) tell(block, begun);
    },
    content_block_delta(event) {
      const delta = objectAt(event, 'delta');
      if (delta === null) return;
      const block = openAt(event);
      for (const told of pieceOf(block, delta)) tell(block, told);
    },
    content_block_stop(event) {
      endBlock(openAt(event));
    },
    message_delta(event) {
      if (head === null) throw brokenAnswer(provider, 'ended an answer that it had not begun');
      const { type: _type, usage: _usage, delta: _delta, ...beside } = event;
      const delta = objectAt(event, 'delta') ?? {};
      last = { ...last, ...beside, ...delta };
      usage = mergeUsage(usage, objectAt(event, 'usage'));
      hasStopReason ||= textAt(delta, 'stop_reason') !== null;
    },
    message_stop() {
      if (head === null) throw brokenAnswer(provider, 'ended an answer that it had not begun');
      isWhole = true;
      finish(last);
    },
  };
  const taken = () => {
    const events = out;
    out = [];
    return events;
  };

  return {
    push(event) {
      if (isFinished) return [];
      steps[textAt(event, 'type') ?? '']?.(event);
      return taken();
    },
    end() {
      if (!isFinished && !hasStopReason) throw brokenAnswer(provider, 'ended in the middle of its answer');
      finish(last);
      return taken();
    },
    get isWhole() {
      return isWhole;
    },
  };
}

/** A whole message as the events that it would have been. */
export function eventsOfMessage(message: JsonObject): JsonObject[] {
  const { content: _content, usage, ...head } = message;
  const blocks = listAt(message, 'content').filter(isObject);
  return [
    { type: 'message_start', message: { ...head, content: [], usage } },
    ...blocks.flatMap((block, index) => [
      { type: 'content_block_start', index, content_block: block },
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: head, usage },
    { type: 'message_stop' },
  ];
}

/**
 * Adds a delta to the block that it belongs to, as the API's own clients do. Texts of kinds that nobody knows are appended,
 * everything else is replaced. The text of an input is not the block's: it is `input` once it is whole.
 */
export function addDelta(block: JsonObject, delta: JsonObject): void {
  const { type, ...fields } = delta;
  if (type === 'input_json_delta') return;
  if (type === 'signature_delta') block['signature'] = fields['signature'];
  else if (type === 'citations_delta') block['citations'] = [...listAt(block, 'citations'), fields['citation']];
  else {
    for (const [key, value] of Object.entries(fields)) {
      const before = block[key];
      block[key] = typeof before === 'string' && typeof value === 'string' ? before + value : value;
    }
  }
}

/** Why an answer ended; a word that nobody knows yet is an end like any other, and `rawReason` has it. */
function reasonOf(rawReason: string | null): FinishReason {
  return reasons[rawReason ?? ''] ?? 'stop';
}

const reasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop_sequence',
  max_tokens: 'length',
  model_context_window_exceeded: 'context_full',
  tool_use: 'tool_calls',
  refusal: 'refusal',
  pause_turn: 'paused',
  // The answer is a shorter conversation, to be gone on from.
  compaction: 'paused',
};

/** What the message says beside what has a word of the core. */
function restOf(message: JsonObject): JsonObject {
  const known = ['id', 'type', 'role', 'model', 'content', 'usage', 'stop_reason', 'stop_sequence'];
  return Object.fromEntries(Object.entries(message).filter(([key]) => !known.includes(key)));
}

const kinds: Readonly<Record<string, OpenBlock['kind']>> = {
  text: 'text',
  thinking: 'reasoning',
  tool_use: 'tool-call',
};

function beginBlock(raw: JsonObject, blockId: number): OpenBlock {
  return {
    kind: kinds[textAt(raw, 'type') ?? ''] ?? null,
    blockId,
    raw: { ...raw },
    input: '',
    signature: textAt(raw, 'signature'),
    waiting: [],
    hasEnded: false,
  };
}

/** The begin of a block, with what it began with: a whole answer has everything there. */
function* beginningOf({ kind, blockId, raw }: OpenBlock, toolName: Reading['toolName']): Generator<BlockEvent> {
  if (kind === 'text') {
    yield { type: 'text-start', blockId };
    const text = textAt(raw, 'text') ?? '';
    if (text !== '') yield { type: 'text-delta', blockId, text };
    for (const citation of listAt(raw, 'citations').filter(isObject)) {
      yield { type: 'citation', blockId, citation: toCitation(citation) };
    }
  } else if (kind === 'reasoning') {
    yield { type: 'reasoning-start', blockId };
    const text = textAt(raw, 'thinking') ?? '';
    if (text !== '') yield { type: 'reasoning-delta', blockId, text };
  } else if (kind === 'tool-call') {
    const name = toolName(textAt(raw, 'name') ?? '');
    yield { type: 'tool-call-start', blockId, id: textAt(raw, 'id') ?? '', name };
  }
}

function* pieceOf(block: OpenBlock, delta: JsonObject): Generator<BlockEvent> {
  const { kind, blockId } = block;
  if (delta['type'] === 'input_json_delta') {
    const argumentsText = textAt(delta, 'partial_json') ?? '';
    block.input += argumentsText;
    if (kind === 'tool-call' && argumentsText !== '') yield { type: 'tool-call-delta', blockId, argumentsText };
  } else if (kind === null) addDelta(block.raw, delta);
  else if (delta['type'] === 'signature_delta') block.signature = textAt(delta, 'signature');
  else if (kind === 'text' && delta['type'] === 'text_delta') {
    const text = textAt(delta, 'text') ?? '';
    if (text !== '') yield { type: 'text-delta', blockId, text };
  } else if (kind === 'text' && delta['type'] === 'citations_delta') {
    const citation = objectAt(delta, 'citation');
    if (citation !== null) yield { type: 'citation', blockId, citation: toCitation(citation) };
  } else if (kind === 'reasoning' && delta['type'] === 'thinking_delta') {
    const text = textAt(delta, 'thinking') ?? '';
    if (text !== '') yield { type: 'reasoning-delta', blockId, text };
  }
}

function* endOf({ kind, blockId, raw, input, signature }: OpenBlock): Generator<BlockEvent> {
  if (kind === 'text') yield { type: 'text-end', blockId };
  else if (kind === 'reasoning') yield { type: 'reasoning-end', blockId, signature: signature || null };
  else if (kind === 'tool-call') {
    // Calls without arguments send none, and whole answers have them in the block.
    const whole = JSON.stringify(objectAt(raw, 'input') ?? {});
    if (input === '') yield { type: 'tool-call-delta', blockId, argumentsText: whole };
    yield { type: 'tool-call-end', blockId };
  } else if (raw['type'] === 'redacted_thinking') {
    yield { type: 'redacted-reasoning', blockId, data: textAt(raw, 'data') ?? '' };
  } else yield { type: 'opaque', blockId, dialect: 'anthropic', block: withInput(raw, input) };
}

/** A block with the input that came in pieces. */
export function withInput(block: JsonObject, input: string): JsonObject {
  if (input === '') return block;
  try {
    return { ...block, input: JSON.parse(input) as unknown };
  } catch {
    // Cut off, or broken by the model; the text is all there is of it.
    return { ...block, input };
  }
}

function toCitation(raw: JsonObject): Citation {
  return {
    citedText: textAt(raw, 'cited_text'),
    title: textAt(raw, 'title') ?? textAt(raw, 'document_title'),
    url: textAt(raw, 'url') ?? (raw['type'] === 'search_result_location' ? textAt(raw, 'source') : null),
    dialect: 'anthropic',
    raw,
  };
}
