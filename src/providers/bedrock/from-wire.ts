import type {
  ContentBlockDelta,
  ContentBlockStart,
  ConverseStreamMetadataEvent,
  ConverseStreamOutput,
  MessageStopEvent,
  TokenUsage,
} from '@aws-sdk/client-bedrock-runtime';
import { AppError } from '../../core/errors.ts';
import type { FinishReason, StreamEvent, Warning } from '../../core/events.ts';
import { type Usage, unknownTimings, unknownUsage } from '../../core/usage.ts';
import type { ToolNames } from '../messages/tool-names.ts';

/** What the events of one answer need to be understood. */
export interface ReaderDeps {
  provider: string;
  /** The model by its own name here. */
  model: string;
  requestId: string | null;
  toolNames: Pick<ToolNames, 'fromWire'>;
  /** Stop strings of the request: of a single one no word is needed which it was. */
  stop: readonly string[];
  /** Where it was computed, as far as the id tells: a profile's geography or the region; null: unknown. */
  place: string | null;
  warnings: readonly Warning[];
}

/** Reads one answer of ConverseStream. */
export interface ConverseReader {
  read(event: ConverseStreamOutput): StreamEvent[];
  /** What is left to say once the stream has ended. Throws `upstream_unavailable` where the answer has not. */
  end(): StreamEvent[];
  /** Whether everything was said. */
  readonly isDone: boolean;
}

/** A block that is open; text and reasoning begin without a word, with their first delta. */
type OpenBlock = { index: number; blockId: number } & (
  | { kind: 'text' | 'tool-call' }
  | { kind: 'reasoning'; signature: string | null }
  | { kind: 'redacted'; data: Uint8Array[] }
  /** Something of the provider's own: a tool that it runs, an image. */
  | { kind: 'opaque'; start: ContentBlockStart; deltas: ContentBlockDelta[] }
);

export function createConverseReader(deps: ReaderDeps): ConverseReader {
  let open: OpenBlock | null = null;
  let blocks = 0;
  let hasStarted = false;
  let stopped: MessageStopEvent | null = null;
  let isDone = false;

  const close = (): StreamEvent[] => {
    const block = open;
    open = null;
    if (block === null) return [];
    const { blockId } = block;
    switch (block.kind) {
      case 'text':
        return [{ type: 'text-end', blockId }];
      case 'tool-call':
        return [{ type: 'tool-call-end', blockId }];
      case 'reasoning':
        return [{ type: 'reasoning-end', blockId, signature: block.signature }];
      case 'redacted':
        return [{ type: 'redacted-reasoning', blockId, data: Buffer.concat(block.data).toString('base64') }];
      case 'opaque':
        return [{ type: 'opaque', blockId, dialect: 'bedrock', block: wholeOf(block.start, block.deltas) }];
    }
  };
  /** The open block of that kind at that index; another one that is open is ended first. */
  const enter = <Block extends OpenBlock>(
    index: number,
    block: Omit<Block, 'index' | 'blockId'>,
    begun: StreamEvent[],
  ) => {
    if (open?.index === index && open.kind === block.kind) return open as Block;
    begun.push(...close());
    open = { ...block, index, blockId: blocks++ } as unknown as Block;
    return open as Block;
  };

  const start = (index: number, begin: ContentBlockStart): StreamEvent[] => {
    const events = close();
    const blockId = blocks++;
    const use = begin.toolUse;
    if (use && use.type !== 'server_tool_use') {
      open = { kind: 'tool-call', index, blockId };
      events.push({
        type: 'tool-call-start',
        blockId,
        id: use.toolUseId ?? '',
        name: deps.toolNames.fromWire(use.name ?? ''),
      });
    } else open = { kind: 'opaque', index, blockId, start: begin, deltas: [] };
    return events;
  };

  const delta = (index: number, piece: ContentBlockDelta): StreamEvent[] => {
    const events: StreamEvent[] = [];
    if (open?.kind === 'opaque' && open.index === index) open.deltas.push(piece);
    else if (piece.text !== undefined || piece.citation !== undefined) {
      const before = blocks;
      const { blockId } = enter<Extract<OpenBlock, { kind: 'text' | 'tool-call' }>>(index, { kind: 'text' }, events);
      if (blocks > before) events.push({ type: 'text-start', blockId });
      if (piece.text) events.push({ type: 'text-delta', blockId, text: piece.text });
      if (piece.citation) events.push({ type: 'citation', blockId, citation: citationOf(piece.citation) });
    } else if (piece.toolUse !== undefined) {
      if (open?.kind === 'tool-call' && piece.toolUse.input) {
        events.push({ type: 'tool-call-delta', blockId: open.blockId, argumentsText: piece.toolUse.input });
      }
    } else if (piece.reasoningContent !== undefined) reason(index, piece.reasoningContent, events);
    return events;
  };

  const reason = (index: number, piece: NonNullable<ContentBlockDelta['reasoningContent']>, events: StreamEvent[]) => {
    if (piece.redactedContent !== undefined) {
      const block = enter<Extract<OpenBlock, { kind: 'redacted' }>>(index, { kind: 'redacted', data: [] }, events);
      block.data.push(piece.redactedContent);
      return;
    }
    const before = blocks;
    const fresh = { kind: 'reasoning' as const, signature: null };
    const block = enter<Extract<OpenBlock, { kind: 'reasoning' }>>(index, fresh, events);
    if (blocks > before) events.push({ type: 'reasoning-start', blockId: block.blockId });
    if (piece.text) events.push({ type: 'reasoning-delta', blockId: block.blockId, text: piece.text });
    // The last one counts; it comes once, before the end of its block.
    if (piece.signature !== undefined) block.signature = piece.signature;
  };

  const finish = (metadata: ConverseStreamMetadataEvent | null): StreamEvent[] => {
    if (stopped === null) return [];
    isDone = true;
    return [...close(), finishOf(stopped, metadata, deps)];
  };

  const begun = (): StreamEvent[] => {
    if (hasStarted) return [];
    hasStarted = true;
    const { requestId: responseId, model, warnings } = deps;
    // What the prompt takes is told at the end only.
    return [{ type: 'start', responseId, model, usage: unknownUsage, warnings }];
  };

  return {
    get isDone() {
      return isDone;
    },
    read(event) {
      if (isDone) return [];
      const { contentBlockStart: blockStart, contentBlockDelta: blockDelta, contentBlockStop: blockStop } = event;
      const index = (blockStart ?? blockDelta ?? blockStop)?.contentBlockIndex ?? 0;
      if (event.messageStart) return begun();
      if (blockStart?.start) return [...begun(), ...start(index, blockStart.start)];
      if (blockDelta?.delta) return [...begun(), ...delta(index, blockDelta.delta)];
      if (blockStop) return open?.index === index ? close() : [];
      if (event.messageStop) {
        stopped = event.messageStop;
        refuseMalformed(stopped.stopReason, deps.provider);
        return [...begun(), ...close()];
      }
      // Usage comes after the end of the message; of one that has not ended it means nothing yet.
      return event.metadata ? finish(event.metadata) : [];
    },
    end() {
      if (isDone) return [];
      if (stopped !== null) return finish(null);
      throw new AppError('upstream_unavailable', `${deps.provider} ended in the middle of its answer.`, {
        details: { provider: deps.provider },
      });
    },
  };
}

const reasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  stop_sequence: 'stop_sequence',
  content_filtered: 'content_filter',
  guardrail_intervened: 'content_filter',
  model_context_window_exceeded: 'context_full',
};

/** The provider could not read its own model: that is its fault, and another one may do better. */
function refuseMalformed(stopReason: string | undefined, provider: string): void {
  if (stopReason !== 'malformed_model_output' && stopReason !== 'malformed_tool_use') return;
  throw new AppError('upstream_unavailable', `${provider} could not read what its model wrote (${stopReason}).`, {
    details: { provider, upstream_type: stopReason },
  });
}

function finishOf(
  { stopReason, additionalModelResponseFields: fields }: MessageStopEvent,
  metadata: ConverseStreamMetadataEvent | null,
  { stop, place }: ReaderDeps,
): StreamEvent {
  const reason = reasons[stopReason ?? ''] ?? 'stop';
  const { trace, performanceConfig, serviceTier } = metadata ?? {};
  const told = { ...(trace && { trace }), ...(performanceConfig && { performanceConfig }) };
  const tier = serviceTier?.type ?? (performanceConfig?.latency === 'optimized' ? 'optimized' : null);
  return {
    type: 'finish',
    reason,
    rawReason: stopReason ?? null,
    stopSequence: reason === 'stop_sequence' ? (stopSequenceIn(fields) ?? (stop.length === 1 ? stop[0]! : null)) : null,
    usage: { ...toUsage(metadata?.usage), servedTier: tier, servedPlace: place },
    timings: unknownTimings,
    ...(Object.keys(told).length > 0 && { extra: { bedrock: told } }),
  };
}

/** The answer to `/delta/stop_sequence`: as the path was, or without its first step. */
function stopSequenceIn(fields: unknown): string | null {
  const at = (value: unknown, key: string) =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const found = at(at(fields, 'delta'), 'stop_sequence') ?? at(fields, 'stop_sequence');
  return typeof found === 'string' ? found : null;
}

/** Counts of Converse, whose input leaves out what the cache read and wrote. */
export function toUsage(raw: TokenUsage | undefined): Usage {
  if (raw === undefined) return unknownUsage;
  const written = raw.cacheWriteInputTokens ?? null;
  const hour = (raw.cacheDetails ?? [])
    .filter(({ ttl }) => ttl === '1h')
    .reduce((sum, { inputTokens }) => sum + (inputTokens ?? 0), 0);
  return {
    ...unknownUsage,
    inputTokens: raw.inputTokens ?? null,
    cacheReadTokens: raw.cacheReadInputTokens ?? null,
    cacheWrite5mTokens: written === null ? null : Math.max(0, written - hour),
    cacheWrite1hTokens: written === null ? null : hour,
    outputTokens: raw.outputTokens ?? null,
    raw,
  };
}

function citationOf(raw: NonNullable<ContentBlockDelta['citation']>) {
  const cited = (raw.sourceContent ?? []).map(({ text }) => text ?? '').join('');
  return {
    citedText: cited === '' ? null : cited,
    title: raw.title ?? null,
    url: raw.location?.web?.url ?? null,
    dialect: 'bedrock' as const,
    raw,
  };
}

/** A block of the provider's own, as it can go back in a history. */
function wholeOf({ toolUse, toolResult, image }: ContentBlockStart, deltas: readonly ContentBlockDelta[]): unknown {
  if (toolUse) {
    const input = deltas.map((delta) => delta.toolUse?.input ?? '').join('');
    return { toolUse: { ...toolUse, input: parsed(input) } };
  }
  if (toolResult) return { toolResult: { ...toolResult, content: deltas.flatMap((delta) => delta.toolResult ?? []) } };
  const source = deltas.map((delta) => delta.image?.source).findLast((one) => one !== undefined);
  return { image: { ...image, source } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    // Shown as it came rather than lost.
    return { text };
  }
}
