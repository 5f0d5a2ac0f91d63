import type { ChatRequest } from '../../src/core/chat.ts';
import { textOf } from '../../src/core/content.ts';
import { AppError } from '../../src/core/errors.ts';
import type { FinishReason, StreamEvent } from '../../src/core/events.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { createHarness, type Harness } from '../http/harness.ts';
import { startEvent, textEvents, toolCallEvents } from './fake-engine.ts';
import { answerInWords } from './word-model.ts';

/** Another Hearth on the loopback address, whose one model `tiny` answers in words. */
export interface SecondHearth extends Harness {
  url: string;
  /** Answers that have not ended. */
  running(): number;
}

export async function startSecondHearth(): Promise<SecondHearth> {
  const harness = await createHarness();
  let running = 0;
  harness.gateway.play(function* (request) {
    running++;
    try {
      yield* answerOf(request);
    } finally {
      running--;
    }
  });
  return { ...harness, url: await harness.http.listen(), running: () => running };
}

function* answerOf(request: ChatRequest): Generator<StreamEvent> {
  if (request.input.type !== 'chat') throw new AppError('not_supported', 'Conversations only.', { field: 'input' });
  const { messages, tools, toolChoice } = request.input;
  const hasImage = messages.some(({ content }) => content.some(({ type }) => type === 'image'));
  if (hasImage) throw new AppError('invalid_request', 'No images.', { field: 'input.messages' });
  const wanted = toolChoice.type === 'tool' ? toolChoice.name : toolChoice.type === 'required' ? tools[0]?.name : null;
  const tool = tools.find(({ name }) => name === wanted);
  const answer = answerInWords({
    prompt: messages.map(({ content }) => textOf(content)).join('|'),
    maxTokens: request.maxTokens ?? 600,
    stop: request.stop,
    tool: tool ? { name: tool.name, schema: tool.parameters } : null,
  });
  yield startEvent();
  if (answer.call) yield* toolCallEvents(0, 'call_1', answer.call.name, [JSON.stringify(answer.call.arguments)]);
  else yield* textEvents(answer.text, 0);
  const reasons: Record<typeof answer.reason, FinishReason> = {
    end: 'stop',
    length: 'length',
    stop_sequence: 'stop_sequence',
    tool: 'tool_calls',
  };
  yield {
    type: 'finish',
    reason: reasons[answer.reason],
    rawReason: null,
    stopSequence: answer.stopSequence,
    // What the gateway's count says, too.
    usage: { ...promptUsage(5, 2), outputTokens: answer.outputTokens, reasoningTokens: 0 },
    timings: { queueMs: 0, prefillMs: 1, decodeMs: 2 },
  };
}
