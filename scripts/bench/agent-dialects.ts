import { type AgentAnswer, readMessage, readResponse } from './agent-answer.ts';
import { uniqueSentences, uniqueWords } from './prompts.ts';
import type { TimedRecord } from './sse.ts';

/** What an agent says in all turns of a session: a system prompt and tools. */
export interface AgentSetting {
  system: string;
  tools: { name: string; description: string; parameters: object }[];
}

/** How an agent speaks to a server, and keeps its conversation: entries of it are as the dialect has them. */
export interface AgentDialect {
  name: string;
  path: string;
  headers: Record<string, string>;
  user(text: string): object;
  /** What an answer adds to the conversation, and the results of its calls. */
  after(answer: AgentAnswer, resultOf: (callId: string) => string): object[];
  body(request: AgentRequest): object;
  read(records: readonly TimedRecord[]): AgentAnswer;
}

interface AgentRequest {
  model: string;
  setting: AgentSetting;
  conversation: readonly object[];
  maxTokens: number;
  /** Differs in every request of every session. */
  number: number;
}

/** Enough for every call: their arguments come out of short lists. */
const toolCount = 8;

/** A setting of `words` words, half of them in the system prompt, that begins as no other does. */
export function agentSetting(words: number, seed: number): AgentSetting {
  const half = Math.max(1, Math.floor(words / 2));
  return {
    system: `You are an agent that works with tools.\n${uniqueSentences(half, seed)}`,
    tools: Array.from({ length: toolCount }, (_, index) => ({
      name: `look_at_${index + 1}`,
      description: uniqueWords(Math.max(1, Math.floor(half / toolCount)), seed + index),
      parameters: {
        type: 'object',
        properties: { place: { type: 'string', enum: ['house', 'garden', 'street'], description: 'Where to look' } },
        required: ['place'],
        additionalProperties: false,
      },
    })),
  };
}

/**
 * As Claude Code speaks: a first system block with a line that differs in every request, the conversation in messages,
 * everything marked for the cache. Each answer is to be one call.
 */
export const anthropicAgent: AgentDialect = {
  name: 'Anthropic messages',
  path: '/v1/messages?beta=true',
  headers: { 'anthropic-version': '2023-06-01', 'x-api-key': 'any-key' },
  user: (text) => ({ role: 'user', content: [{ type: 'text', text }] }),
  after: ({ content, callIds }, resultOf) => [
    { role: 'assistant', content },
    {
      role: 'user',
      content: callIds.map((id) => ({ type: 'tool_result', tool_use_id: id, content: resultOf(id) })),
    },
  ],
  body: ({ model, setting, conversation, maxTokens, number }) => ({
    model,
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
    system: [
      {
        type: 'text',
        text: `x-anthropic-billing-header: cc_version=2.1.37.${number % 1_000}; cc_entrypoint=cli; cch=${number};`,
      },
      { type: 'text', text: setting.system, cache_control: { type: 'ephemeral' } },
    ],
    tools: setting.tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })),
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    messages: conversation,
  }),
  read: readMessage,
};

/** As Codex speaks: everything in each request, nothing kept by the server. Each answer is to be one call. */
export const responsesAgent: AgentDialect = {
  name: 'OpenAI responses',
  path: '/v1/responses',
  headers: { authorization: 'Bearer any-key' },
  user: (text) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }),
  after: ({ content, callIds }, resultOf) => [
    ...content,
    ...callIds.map((id) => ({ type: 'function_call_output', call_id: id, output: resultOf(id) })),
  ],
  body: ({ model, setting, conversation, maxTokens }) => ({
    model,
    max_output_tokens: maxTokens,
    temperature: 0,
    stream: true,
    store: false,
    instructions: setting.system,
    tools: setting.tools.map((tool) => ({ type: 'function', strict: true, ...tool })),
    tool_choice: 'required',
    parallel_tool_calls: false,
    input: conversation,
  }),
  read: readResponse,
};
