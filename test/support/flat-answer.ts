import { reasoningOf, textOf, toolCallsOf } from '../../src/core/content.ts';
import { foldEvents, type StreamEvent } from '../../src/core/events.ts';

/** The only choice of an answer, flat: what most tests compare. */
export async function foldFlat(events: AsyncIterable<StreamEvent>) {
  const { choices, ...answer } = await foldEvents(events);
  const [{ blocks, ...choice }] = choices;
  return {
    ...answer,
    ...choice,
    blocks,
    text: textOf(blocks),
    reasoning: reasoningOf(blocks),
    toolCalls: toolCallsOf(blocks).map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
    toolCallArguments: toolCallsOf(blocks).map(({ argumentsText }) => argumentsText ?? ''),
  };
}

export type FlatAnswer = Awaited<ReturnType<typeof foldFlat>>;
