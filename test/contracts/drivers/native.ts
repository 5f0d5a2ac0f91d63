import type { z } from 'zod';
import { nativeChatAnswer } from '../../../src/http/native/chat/schema.ts';
import { generateAnswer, generateItem, type nativeUsage } from '../../../src/http/native/generate/schema.ts';
import { apiError, nativeError } from '../../../src/http/native/mounts/error-schema.ts';
import { sseData } from '../../http/harness.ts';
import type { Ask, DialectDriver, ReadAnswer } from '../dialect.contract.ts';

const settings = ({ stream, model, maxTokens, stop, schema }: Ask) => ({
  stream,
  ...(model !== undefined && { model }),
  ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  ...(stop && { stop }),
  ...(schema && { format: schema }),
});

const generate: DialectDriver = {
  name: 'native generate',
  url: '/generate',
  streamType: 'text/event-stream',
  toBody: (ask) => ({ prompt: ask.prompt, ...settings(ask) }),
  readWhole(body) {
    const { text, reasoning, model, finish_reason, usage } = generateAnswer.parse(body);
    return { text, reasoning: reasoning ?? '', calls: [], model, reason: finish_reason, usage: toUsage(usage) };
  },
  readStream(text) {
    const records = sseData(text).filter((data) => data !== '[DONE]');
    const read: ReadAnswer = { text: '', reasoning: '', calls: [], model: '', reason: null, usage: null };
    for (const record of records) {
      const value = JSON.parse(record);
      if ('error' in value) {
        const { finished: _finished, ...error } = value;
        return { ...read, hasEnded: false, error };
      }
      const item = generateItem.parse(value);
      read.text += item.token;
      read.reasoning += item.reasoning ?? '';
      read.model = item.model ?? read.model;
      read.reason = item.finish_reason ?? null;
      if (item.usage) read.usage = toUsage(item.usage);
    }
    return { ...read, hasEnded: generateItem.parse(JSON.parse(records.at(-1)!)).finished, error: null };
  },
  readError(body) {
    const { message, details } = nativeError.strict().parse(body).error;
    return { message, field: typeof details['field'] === 'string' ? details['field'] : null };
  },
  reasons: { stop: 'stop', stopSequence: 'stop', length: 'length' },
  fields: { prompt: 'prompt', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { tools: [] }, field: 'tools' },
    { fields: { prompt: '' }, field: 'prompt' },
  ],
  can: { tools: false, forcedTool: false, singleCall: false, schema: true, reasoning: true },
  ping: /^: keep-alive$/m,
};

const atApi: DialectDriver = {
  ...generate,
  name: 'native generate at /api/v1',
  url: '/api/v1/generate',
  readStream(text) {
    const read = generate.readStream(text);
    return { ...read, hasEnded: read.hasEnded && sseData(text).at(-1) === '[DONE]' };
  },
  readError(body) {
    const { detail, field } = apiError.strict().parse(body);
    return { message: detail, field: field ?? null };
  },
};

const chat: DialectDriver = {
  ...atApi,
  name: 'native chat',
  url: '/api/v1/chat',
  toBody: (ask) => ({ messages: [{ role: 'user', content: ask.prompt }], ...settings(ask) }),
  readWhole(body) {
    const { message, model, finish_reason, usage } = nativeChatAnswer.parse(body);
    const { content, reasoning } = message;
    return {
      text: content,
      reasoning: reasoning ?? '',
      calls: [],
      model,
      reason: finish_reason,
      usage: toUsage(usage),
    };
  },
  fields: { prompt: 'messages', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { messages: [{ role: 'robot', content: 'x' }] }, field: 'messages.0.role' },
  ],
};

function toUsage(usage: z.infer<typeof nativeUsage>) {
  return {
    prompt: usage.prompt_tokens,
    cached: usage.cached_prompt_tokens,
    output: usage.completion_tokens,
    total: usage.total_tokens,
  };
}

/** Streams of generations have a place of their own, too. */
const apart = (driver: DialectDriver): DialectDriver => ({
  ...driver,
  name: `${driver.name}, streams apart`,
  streamUrl: `${driver.url}/stream`,
  toBody: (ask) => driver.toBody({ ...ask, stream: false }),
});

/** The native endpoints. */
export const nativeDrivers: readonly DialectDriver[] = [generate, apart(generate), atApi, apart(atApi), chat];
