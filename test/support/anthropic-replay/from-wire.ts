import { createParser } from 'eventsource-parser';
import type { ChatMessage, ChatRequest, ToolDefinition } from '../../../src/core/chat.ts';
import type {
  AssistantPart,
  CacheMark,
  ContentPart,
  DocumentPart,
  ImagePart,
  Marked,
  MediaSource,
  TextPart,
  UserPart,
} from '../../../src/core/content.ts';
import type { FinishReason, StreamEvent } from '../../../src/core/events.ts';
import { type Usage, unknownTimings, unknownUsage } from '../../../src/core/usage.ts';

// Types of the wire as far as the recordings go; a real adapter has those of the SDK.
// biome-ignore lint/suspicious/noExplicitAny: recorded JSON, read by hand
export type Wire = any;

/** The JSON of every record of a recorded event stream. */
export function recordedEvents(text: string): Wire[] {
  const events: Wire[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(JSON.parse(data)) });
  parser.feed(text);
  return events;
}

/** Recorded events of a message in the words of the core. */
export function* toStreamEvents(recorded: readonly Wire[]): Generator<StreamEvent> {
  let usage: Wire = {};
  let head: Wire = {};
  const kinds = new Map<number, string>();
  const signatures = new Map<number, string>();
  for (const event of recorded) {
    const blockId: number = event.index;
    switch (event.type) {
      case 'message_start': {
        const { content: _content, usage: startUsage, ...rest } = event.message;
        head = rest;
        usage = startUsage;
        yield { type: 'start', responseId: head.id, model: head.model, usage: toUsage(usage), warnings: [] };
        break;
      }
      case 'content_block_start':
        kinds.set(blockId, event.content_block.type);
        yield beginOf(event.content_block, blockId);
        break;
      case 'content_block_delta':
        if (event.delta.type === 'signature_delta') signatures.set(blockId, event.delta.signature);
        else yield* deltaOf(event.delta, blockId);
        break;
      case 'content_block_stop': {
        const kind = kinds.get(blockId);
        if (kind === 'text') yield { type: 'text-end', blockId };
        else if (kind === 'tool_use') yield { type: 'tool-call-end', blockId };
        else if (kind === 'thinking') {
          yield { type: 'reasoning-end', blockId, signature: signatures.get(blockId) ?? null };
        }
        break;
      }
      case 'message_delta': {
        const { stop_reason: rawReason, stop_sequence: stopSequence, ...rest } = event.delta;
        usage = { ...usage, ...event.usage };
        yield {
          type: 'finish',
          reason: reasons[rawReason] ?? 'stop',
          rawReason,
          stopSequence,
          usage: toUsage(usage),
          timings: unknownTimings,
          extra: { anthropic: { ...head, ...rest } },
        };
        break;
      }
    }
  }
}

const reasons: Record<string, FinishReason> = {
  end_turn: 'stop',
  stop_sequence: 'stop_sequence',
  max_tokens: 'length',
  model_context_window_exceeded: 'context_full',
  tool_use: 'tool_calls',
  refusal: 'refusal',
  pause_turn: 'paused',
};

function beginOf(block: Wire, blockId: number): StreamEvent {
  switch (block.type) {
    case 'text':
      return { type: 'text-start', blockId };
    case 'thinking':
      return { type: 'reasoning-start', blockId };
    case 'redacted_thinking':
      return { type: 'redacted-reasoning', blockId, data: block.data };
    case 'tool_use':
      return { type: 'tool-call-start', blockId, id: block.id, name: block.name };
    default:
      return { type: 'opaque', blockId, dialect: 'anthropic', block };
  }
}

function* deltaOf(delta: Wire, blockId: number): Generator<StreamEvent> {
  if (delta.type === 'text_delta') yield { type: 'text-delta', blockId, text: delta.text };
  else if (delta.type === 'thinking_delta') yield { type: 'reasoning-delta', blockId, text: delta.thinking };
  else if (delta.type === 'input_json_delta') {
    yield { type: 'tool-call-delta', blockId, argumentsText: delta.partial_json };
  } else if (delta.type === 'citations_delta') {
    const raw = delta.citation;
    const { cited_text: citedText, document_title: title } = raw;
    yield { type: 'citation', blockId, citation: { citedText, title, url: null, dialect: 'anthropic', raw } };
  }
}

function toUsage(raw: Wire): Usage {
  return {
    ...unknownUsage,
    inputTokens: raw.input_tokens,
    cacheReadTokens: raw.cache_read_input_tokens,
    cacheWrite5mTokens: raw.cache_creation?.ephemeral_5m_input_tokens ?? null,
    cacheWrite1hTokens: raw.cache_creation?.ephemeral_1h_input_tokens ?? null,
    outputTokens: raw.output_tokens,
    reasoningTokens: raw.output_tokens_details?.thinking_tokens ?? null,
    serverTools: raw.server_tool_use ?? null,
    servedTier: raw.service_tier ?? null,
    servedPlace: raw.inference_geo ?? null,
    raw,
  };
}

/** A recorded request body in the words of the core. */
export function toChatRequest(body: Wire): ChatRequest {
  return {
    model: body.model,
    input: {
      type: 'chat',
      messages: [{ role: 'system', content: body.system.map(toPart) as TextPart[] }, ...body.messages.map(toMessage)],
      tools: body.tools.map(toTool),
      toolChoice: { type: body.tool_choice.type },
      parallelToolCalls: !body.tool_choice.disable_parallel_tool_use,
    },
    sampling: {},
    stop: body.stop_sequences,
    maxTokens: body.max_tokens,
    reasoning: { mode: 'on', budgetTokens: body.thinking.budget_tokens },
    endUserId: body.metadata.user_id,
    serviceTier: body.service_tier,
    original: {
      dialect: 'anthropic',
      path: '/v1/messages',
      bytes: new TextEncoder().encode(JSON.stringify(body)),
      body,
      headers: { 'anthropic-version': '2023-06-01' },
    },
  };
}

function toMessage(message: Wire): ChatMessage {
  const parts = message.content.map(toPart);
  if (message.role === 'assistant') return { role: 'assistant', content: parts as AssistantPart[] };
  if (message.role === 'system') return { role: 'system', content: parts as TextPart[] };
  return { role: 'user', content: parts as UserPart[] };
}

function toTool({
  name,
  description,
  input_schema: parameters,
  strict,
  cache_control: mark,
  ...rest
}: Wire): ToolDefinition {
  return {
    name,
    parameters,
    ...(description !== undefined && { description }),
    ...(strict !== undefined && { strict }),
    ...marked(mark),
    ...(Object.keys(rest).length > 0 && { extra: { anthropic: rest } }),
  };
}

function toPart({ cache_control: mark, ...block }: Wire): ContentPart {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text, ...marked(mark) };
    case 'image': {
      const { mediaType, source } = toSource(block.source);
      return { type: 'image', mediaType, source: source as MediaSource, ...marked(mark) } satisfies ImagePart;
    }
    case 'document':
      return toDocument(block, marked(mark));
    case 'thinking': {
      const { thinking: text, signature } = block;
      return { type: 'reasoning', text, signature, redactedData: null, origin: null, ...marked(mark) };
    }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', signature: null, redactedData: block.data, origin: null, ...marked(mark) };
    case 'tool_use':
      return { type: 'tool-call', id: block.id, name: block.name, arguments: block.input, ...marked(mark) };
    case 'tool_result':
      return {
        type: 'tool-result',
        callId: block.tool_use_id,
        isError: block.is_error ?? false,
        content: block.content.map(toPart),
        ...marked(mark),
      };
    default:
      return { type: 'opaque', dialect: 'anthropic', block, ...marked(mark) };
  }
}

function toDocument({ source: wire, title, context, citations }: Wire, marks: Marked): DocumentPart {
  return {
    type: 'document',
    ...toSource(wire),
    ...(title !== undefined && { title }),
    ...(context !== undefined && { context }),
    ...(citations !== undefined && { mayBeCited: citations.enabled }),
    ...marks,
  };
}

function toSource(source: Wire): { mediaType: string | null; source: DocumentPart['source'] } {
  if (source.type === 'base64') return { mediaType: source.media_type, source: { type: 'bytes', base64: source.data } };
  if (source.type === 'text') return { mediaType: source.media_type, source: { type: 'text', text: source.data } };
  if (source.type === 'url') return { mediaType: null, source: { type: 'url', url: source.url } };
  return { mediaType: null, source: { type: 'file', fileId: source.file_id } };
}

const seconds: Record<string, CacheMark['ttlSeconds']> = { '5m': 300, '1h': 3600 };

function marked(mark: Wire): Marked {
  return mark === undefined ? {} : { cacheMark: { ttlSeconds: seconds[mark.ttl] ?? null } };
}
