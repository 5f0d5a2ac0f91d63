import type { ChatMessage, OutputFormat, ToolDefinition } from '../../src/core/chat.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import { answers, tools } from './answers.ts';
import { builtInModel } from './models.ts';

/** A request of a schedule. The name says in a failure what it was. */
export interface ScheduleCase {
  name: string;
  request: WorkerRequest;
}

interface Wishes {
  system?: string;
  tools?: ToolDefinition[];
  format?: OutputFormat;
  maxTokens?: number;
  stop?: string[];
}

/** A greedy conversation: user, assistant, user … */
export function greedyChat(turns: readonly string[], wishes: Wishes = {}): WorkerRequest {
  const text = (content: string) => [{ type: 'text' as const, text: content }];
  const spoken = turns.map(
    (turn, index): ChatMessage => ({ role: index % 2 === 0 ? 'user' : 'assistant', content: text(turn) }),
  );
  const system: ChatMessage[] = wishes.system ? [{ role: 'system', content: text(wishes.system) }] : [];
  return {
    model: builtInModel,
    input: {
      type: 'chat',
      messages: [...system, ...spoken],
      tools: wishes.tools ?? [],
      toolChoice: { type: 'auto' },
    },
    sampling: { temperature: 0 },
    format: wishes.format ?? { type: 'text' },
    topLogprobs: null,
    maxTokens: wishes.maxTokens ?? 80,
    stop: wishes.stop ?? [],
    owner: null,
    promptCache: 'keep',
  };
}

const own = 'You are Hearth, a small helpful assistant.';
/** About 90, 330 and 700 tokens. */
const systems = [5, 25, 55].map((times) => `${own} ${'The house has many rooms. '.repeat(times)}`);
const questions = [
  'What is Hearth?',
  'What is a KV cache?',
  'What is prefill?',
  'Where are the metrics?',
  'Who are you?',
  'What is quantization?',
  'How many days has a week?',
];
const toolDefinitions = tools.map((tool): ToolDefinition => tool.function);
const person = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
};

/**
 * Conversations with much in common: the same beginnings, continued and repeated, with tools, schemas and stop strings,
 * between 10 and 800 prompt tokens.
 */
export const scheduleCases: ScheduleCase[] = [
  ...questions.map((question) => ({ name: question, request: greedyChat([question]) })),
  ...systems.flatMap((system, index) =>
    questions.slice(0, 5).map((question) => ({
      name: `${question} after system prompt ${index}`,
      request: greedyChat([question], { system }),
    })),
  ),
  // Continuations of the first ones, as a client sends them.
  ...(['What is Hearth?', 'What is a KV cache?', 'Hello!'] as const).flatMap((question) =>
    ['Thanks!', 'What is GGUF?', 'Say that again.'].map((next) => ({
      name: `${question}, then ${next}`,
      request: greedyChat([question, answers[question], next]),
    })),
  ),
  {
    name: 'three turns',
    request: greedyChat([
      'My name is Dora.',
      'Nice to meet you, Dora!',
      'Thanks!',
      'You are welcome!',
      'What is my name?',
    ]),
  },
  // Repetition is what guesses live on.
  ...['red green blue red green blue red green blue', 'one two three four five one two three four five'].map(
    (words) => ({
      name: `repeat ${words}`,
      request: greedyChat([`Repeat after me: ${words}`]),
    }),
  ),
  ...['What is the weather in Oslo?', 'Switch on the light in the kitchen.', 'What is GGUF?'].map((question) => ({
    name: `${question} with tools`,
    request: greedyChat([question], { tools: toolDefinitions }),
  })),
  ...['name Dora, age 31', 'name Emil, age 7'].map((values) => ({
    name: `${values} by a schema`,
    request: greedyChat([`Convert to JSON: ${values}`], { format: { type: 'json-schema', schema: person } }),
  })),
  { name: 'any JSON', request: greedyChat(['JSON with city Oslo, count 12'], { format: { type: 'json' } }) },
  ...['. ', 'language'].map((stop) => ({
    name: `stopped by ${JSON.stringify(stop)}`,
    request: greedyChat(['What is GGUF?'], { stop: [stop] }),
  })),
  { name: 'cut at 9 tokens', request: greedyChat(['What is GGUF?'], { maxTokens: 9 }) },
  {
    name: 'a text to go on with',
    request: { ...greedyChat([]), input: { type: 'text', prompt: 'GGUF is a file format for' }, maxTokens: 40 },
  },
  { name: 'a long story', request: greedyChat(['Tell me a story.'], { maxTokens: 160 }) },
];
