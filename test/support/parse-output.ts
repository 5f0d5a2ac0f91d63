import { expect } from 'vitest';
import type { ToolDefinition } from '../../src/core/chat.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { unknownTimings, unknownUsage } from '../../src/core/usage.ts';
import { createOutputParser, type OutputParser } from '../../src/worker/answer/output-parser.ts';
import type { ToolCallForm } from '../../src/worker/families/form.ts';
import { reasoningTags } from '../../src/worker/families/reasoning.ts';
import type { FlatAnswer } from './flat-answer.ts';
import { foldFlat } from './flat-answer.ts';

export interface ParseOptions {
  /** Absent: the request has no tools. */
  form?: ToolCallForm;
  tools?: readonly ToolDefinition[];
  bound?: boolean;
  begun?: boolean;
  /** Template text that decides the reasoning tags. */
  template?: string;
  startsInReasoning?: boolean;
}

export function parserFor(options: ParseOptions = {}): OutputParser {
  let calls = 0;
  const { form, tools = [], bound = false, begun = false } = options;
  return createOutputParser({
    calls: form ? { form, tools, bound, begun } : null,
    reasoning: reasoningTags(options.template ?? ''),
    startsInReasoning: options.startsInReasoning ?? false,
    newCallId: () => `call_${calls++}`,
  });
}

/** The events of an answer that comes in these pieces; its blocks are checked. */
export function eventsOf(pieces: readonly string[], options: ParseOptions = {}): StreamEvent[] {
  const parser = parserFor(options);
  const events: StreamEvent[] = pieces.flatMap((piece) => parser.push(piece));
  events.push(...parser.end());
  assertBlocks(events);
  return events;
}

/** The whole answer. */
export function parseOutput(pieces: readonly string[], options: ParseOptions = {}): Promise<FlatAnswer> {
  const events = eventsOf(pieces, options);
  events.push({
    type: 'finish',
    reason: 'stop',
    rawReason: null,
    stopSequence: null,
    usage: unknownUsage,
    timings: unknownTimings,
  });
  return foldFlat(
    (async function* () {
      yield* events;
    })(),
  );
}

/** What a client sees of an answer. */
export async function readOutput(pieces: readonly string[], options: ParseOptions = {}) {
  const { text, reasoning, toolCalls } = await parseOutput(pieces, options);
  return { text, reasoning, calls: toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given })) };
}

/** Blocks come one at a time, with ids 0, 1, 2 …, each started and ended. */
function assertBlocks(events: StreamEvent[]): void {
  let next = 0;
  let open: number | null = null;
  for (const event of events) {
    if (!('blockId' in event)) continue;
    if (event.type.endsWith('-start')) {
      expect(open).toBeNull();
      expect(event.blockId).toBe(next++);
      open = event.blockId;
    } else {
      expect(event.blockId).toBe(open);
      if (event.type.endsWith('-end')) open = null;
    }
  }
  expect(open).toBeNull();
}
