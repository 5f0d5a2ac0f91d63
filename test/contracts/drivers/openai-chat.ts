import { chatAnswer, chatChunk } from '../../../src/http/openai/chat/answer-schema.ts';
import { sseData } from '../../http/harness.ts';
import type { Ask, DialectDriver, ReadAnswer } from '../dialect.contract.ts';
import { errorIn, readOpenaiError, toReadUsage } from './openai-objects.ts';

const driver: DialectDriver = {
  name: 'openai chat',
  url: '/v1/chat/completions',
  streamType: 'text/event-stream',
  toBody: ({ prompt, stream, model, maxTokens, stop, tools, toolChoice, isSingleCall, schema }: Ask) => ({
    model: model ?? 'tiny',
    messages: [{ role: 'user', content: prompt }],
    ...(stream && { stream, stream_options: { include_usage: true } }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(stop && { stop }),
    ...(tools && { tools: tools.map((definition) => ({ type: 'function', function: definition })) }),
    ...(toolChoice && {
      tool_choice: typeof toolChoice === 'string' ? toolChoice : { type: 'function', function: toolChoice },
    }),
    ...(isSingleCall && { parallel_tool_calls: false }),
    ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }),
  }),
  readWhole(body) {
    const { model, choices, usage } = chatAnswer.parse(body);
    const { message, finish_reason } = choices[0]!;
    return {
      text: message.content ?? '',
      reasoning: message.reasoning_content ?? '',
      calls: (message.tool_calls ?? []).map((call) => {
        if (call.type !== 'function') throw new Error('no custom tool was offered');
        return { id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) };
      }),
      model,
      reason: finish_reason,
      usage: usage && toReadUsage(usage),
    };
  },
  readStream(text) {
    const records = sseData(text);
    const calls: { id: string; name: string; text: string }[] = [];
    const read: ReadAnswer = { text: '', reasoning: '', calls: [], model: '', reason: null, usage: null };
    let error: unknown = null;
    for (const record of records.filter((data) => data !== '[DONE]')) {
      const value: unknown = JSON.parse(record);
      error ??= errorIn(value);
      if (error !== null) continue;
      const chunk = chatChunk.parse(value);
      read.model = chunk.model;
      if (chunk.usage) read.usage = toReadUsage(chunk.usage);
      for (const { delta, finish_reason } of chunk.choices) {
        read.text += delta.content ?? '';
        read.reasoning += delta.reasoning_content ?? '';
        for (const { index, id, function: part } of delta.tool_calls ?? []) {
          if (id !== undefined) calls[index] = { id, name: part?.name ?? '', text: '' };
          calls[index]!.text += part?.arguments ?? '';
        }
        read.reason ??= finish_reason;
      }
    }
    // As the SDKs read it: no arguments are an empty object.
    read.calls = calls.map(({ id, name, text: given }) => ({ id, name, arguments: JSON.parse(given || '{}') }));
    return { ...read, hasEnded: records.at(-1) === '[DONE]', error };
  },
  readError: readOpenaiError,
  reasons: { stop: 'stop', stopSequence: 'stop', length: 'length', toolCalls: 'tool_calls' },
  fields: { prompt: 'messages', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { messages: [{ role: 'robot', content: 'x' }] }, field: 'messages.0.role' },
  ],
  can: { tools: true, forcedTool: true, singleCall: true, schema: true, reasoning: true },
  ping: /^: keep-alive$/m,
};

/** OpenAI's chat. */
export const openaiChatDrivers: readonly DialectDriver[] = [driver];
