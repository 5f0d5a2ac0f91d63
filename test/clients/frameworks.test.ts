import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatAnthropic } from '@langchain/anthropic';
import { ChatOllama, OllamaEmbeddings } from '@langchain/ollama';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { generateText, jsonSchema, Output, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { embedder, model, realModels, useServer, weather } from './server.ts';

const baseUrl = useServer();
const room = z.object({ room: z.enum(['kitchen', 'hall']), on: z.boolean() });
const langChainTools = [{ type: 'function' as const, function: weather }];

const chatOpenAi = () =>
  new ChatOpenAI({
    model,
    apiKey: 'none',
    maxRetries: 0,
    maxTokens: 96,
    configuration: { baseURL: `${baseUrl()}/v1` },
  });
const chatAnthropic = () =>
  new ChatAnthropic({ model, apiKey: 'none', maxRetries: 0, maxTokens: 96, anthropicApiUrl: baseUrl() });
const chatOllama = () => new ChatOllama({ model, baseUrl: baseUrl(), numPredict: 96, maxRetries: 0 });
const bern = 'The weather of Bern?';

/** Each with a forced call, where its API has one, and the way in which it asks for structure. */
const langChain = [
  {
    name: '@langchain/openai',
    chat: chatOpenAi,
    call: () => chatOpenAi().bindTools(langChainTools, { tool_choice: 'required' }).invoke(bern),
    method: 'jsonSchema',
  },
  {
    name: '@langchain/anthropic',
    chat: chatAnthropic,
    call: () => chatAnthropic().bindTools(langChainTools, { tool_choice: 'any' }).invoke(bern),
    method: 'functionCalling',
  },
  { name: '@langchain/ollama', chat: chatOllama, call: null, method: 'jsonSchema' },
] as const;

describe.each(langChain)('$name', ({ chat, call, method }) => {
  it('invokes and streams', async () => {
    expect((await chat().invoke('What is Hearth?')).text).not.toBe('');
    const chunks = await Array.fromAsync(await chat().stream('What is Hearth?'));
    expect(chunks.map(({ text }) => text).join('')).not.toBe('');
  });

  it.skipIf(call === null)('has a tool called', async () => {
    const { tool_calls } = await call!();
    expect(tool_calls).toMatchObject([{ name: 'get_weather', args: { city: expect.stringMatching(/^(Bern|Oslo)$/) } }]);
  });

  it('gets structured output', async () => {
    const answer: unknown = await chat().withStructuredOutput(room, { method }).invoke('Light in the hall');
    expect(room.safeParse(answer).success).toBe(true);
  });

  it('says what is wrong', async () => {
    await expect(chat().invoke('x'.repeat(200_000))).rejects.toThrow(/token|context/i);
  });
});

describe.skipIf(realModels === undefined)('vectors of LangChain', () => {
  it('come of either API', async () => {
    const openai = new OpenAIEmbeddings({
      model: embedder,
      apiKey: 'none',
      configuration: { baseURL: `${baseUrl()}/v1` },
    });
    const ollama = new OllamaEmbeddings({ model: embedder, baseUrl: baseUrl() });
    const [[first], [second]] = [await openai.embedDocuments(['a cat']), await ollama.embedDocuments(['a cat'])];
    expect(first).toHaveLength(384);
    for (const [index, value] of first!.entries()) expect(value).toBeCloseTo(second![index]!, 4);
  });
});

const aiSdk = {
  'openai (responses)': () => createOpenAI({ baseURL: `${baseUrl()}/v1`, apiKey: 'none' })(model),
  'openai (chat)': () => createOpenAI({ baseURL: `${baseUrl()}/v1`, apiKey: 'none' }).chat(model),
  'openai-compatible': () =>
    createOpenAICompatible({ name: 'hearth', baseURL: `${baseUrl()}/v1`, supportsStructuredOutputs: true })(model),
  anthropic: () => createAnthropic({ baseURL: `${baseUrl()}/v1`, apiKey: 'none' })(model),
};

describe.each(Object.entries(aiSdk))('the AI SDK with %s', (_name, language) => {
  const wish = () => ({ model: language(), prompt: 'What is Hearth?', maxOutputTokens: 96, maxRetries: 0 });

  it('asks and streams', async () => {
    expect((await generateText(wish())).text).not.toBe('');
    expect(await streamText(wish()).text).not.toBe('');
  });

  it('has a tool called', async () => {
    const get_weather = tool({
      description: weather.description,
      inputSchema: jsonSchema<{ city: string }>({
        ...weather.parameters,
        required: ['city'],
        properties: { city: { type: 'string', enum: ['Bern', 'Oslo'] } },
      }),
    });
    const { toolCalls } = await generateText({ ...wish(), tools: { get_weather }, toolChoice: 'required' });
    expect(toolCalls).toMatchObject([
      { toolName: 'get_weather', input: { city: expect.stringMatching(/^(Bern|Oslo)$/) } },
    ]);
  });

  it('gets structured output', async () => {
    const { output } = await generateText({ ...wish(), output: Output.object({ schema: room }) });
    expect(room.safeParse(output).success).toBe(true);
  });
});
