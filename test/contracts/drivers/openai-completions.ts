import { completionAnswer } from '../../../src/http/openai/completions/answer-schema.ts';
import { sseData } from '../../http/harness.ts';
import type { DialectDriver, ReadAnswer } from '../dialect.contract.ts';
import { errorIn, readOpenaiError, toReadUsage } from './openai-objects.ts';

const driver: DialectDriver = {
  name: 'openai completions',
  url: '/v1/completions',
  streamType: 'text/event-stream',
  toBody: ({ prompt, stream, model, maxTokens, stop, schema }) => ({
    model: model ?? 'tiny',
    prompt,
    ...(stream && { stream, stream_options: { include_usage: true } }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(stop && { stop }),
    ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }),
  }),
  readWhole(body) {
    const { model, choices, usage } = completionAnswer.parse(body);
    const { text, finish_reason } = choices[0]!;
    return { text, reasoning: '', calls: [], model, reason: finish_reason, usage: usage ? toReadUsage(usage) : null };
  },
  readStream(text) {
    const records = sseData(text);
    const read: ReadAnswer = { text: '', reasoning: '', calls: [], model: '', reason: null, usage: null };
    let error: unknown = null;
    for (const record of records.filter((data) => data !== '[DONE]')) {
      const value: unknown = JSON.parse(record);
      error ??= errorIn(value);
      if (error !== null) continue;
      const chunk = completionAnswer.parse(value);
      read.model = chunk.model;
      if (chunk.usage) read.usage = toReadUsage(chunk.usage);
      for (const choice of chunk.choices) {
        read.text += choice.text;
        read.reason ??= choice.finish_reason;
      }
    }
    return { ...read, hasEnded: records.at(-1) === '[DONE]', error };
  },
  readError: readOpenaiError,
  reasons: { stop: 'stop', stopSequence: 'stop', length: 'length' },
  fields: { prompt: 'prompt', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { prompt: ['a', ''] }, field: 'prompt.1' },
  ],
  can: { tools: false, forcedTool: false, singleCall: false, schema: true, reasoning: false },
  ping: /^: keep-alive$/m,
};

/** OpenAI's older completions. */
export const openaiCompletionsDrivers: readonly DialectDriver[] = [driver];
