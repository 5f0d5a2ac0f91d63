import { z } from 'zod';
import { chatLine } from '../../../src/http/ollama/chat/schema.ts';
import { generateLine } from '../../../src/http/ollama/generate/schema.ts';
import { ollamaError } from '../../../src/http/ollama/objects/errors.ts';
import { sseData } from '../../http/harness.ts';
import { linesOf } from '../../http/ollama/lines.ts';
import type { Ask, DialectDriver, ReadAnswer, ReadStream } from '../dialect.contract.ts';

/** What lines of both endpoints have in common. */
type Line = Pick<
  z.infer<typeof chatLine>,
  'model' | 'done' | 'done_reason' | 'prompt_eval_count' | 'eval_count' | 'total_duration' | 'load_duration'
> &
  Pick<z.infer<typeof chatLine>, 'prompt_eval_duration' | 'eval_duration'>;
/** What a line says. */
type Said = Pick<ReadAnswer, 'text' | 'reasoning' | 'calls'>;

const settings = ({ stream, model, maxTokens, stop, schema }: Ask) => ({
  model: model ?? 'tiny',
  stream,
  ...(schema && { format: schema }),
  ...((maxTokens !== undefined || stop) && {
    options: { ...(maxTokens !== undefined && { num_predict: maxTokens }), ...(stop && { stop }) },
  }),
});

function saidInChat({ message: { content, thinking, tool_calls } }: z.infer<typeof chatLine>): Said {
  return {
    text: content,
    reasoning: thinking ?? '',
    calls: (tool_calls ?? []).map(({ id, function: { name, arguments: given } }) => ({ id, name, arguments: given })),
  };
}

const saidByPrompt = ({ response, thinking }: z.infer<typeof generateLine>): Said => ({
  text: response,
  reasoning: thinking ?? '',
  calls: [],
});

/** Reads lines by the schema of one endpoint. */
function readerOf<AnyLine extends Line>(schema: z.ZodType<AnyLine>, saidIn: (line: AnyLine) => Said) {
  const readLine = (value: unknown): ReadAnswer => {
    const line = schema.parse(value);
    return { ...saidIn(line), model: line.model, reason: line.done_reason ?? null, usage: usageOf(line) };
  };
  const readLines = (values: unknown[]): ReadStream => {
    const error = values.find((value) => ollamaError.strict().safeParse(value).success) ?? null;
    const lines = values.filter((value) => value !== error).map((value) => schema.parse(value));
    const last = lines.at(-1)!;
    if (lines.slice(0, -1).some(({ done }) => done)) throw new Error('a line comes after the end');
    const said = lines.map(saidIn);
    return {
      text: said.map(({ text }) => text).join(''),
      reasoning: said.map(({ reasoning }) => reasoning).join(''),
      calls: said.flatMap(({ calls }) => calls),
      model: last.model,
      reason: last.done_reason ?? null,
      usage: usageOf(last),
      hasEnded: last.done,
      error,
    };
  };
  return { readWhole: readLine, readLines };
}

/** Throws where the times do not add up. */
function usageOf(line: Line): ReadAnswer['usage'] {
  if (!line.done) return null;
  const parts = (line.load_duration ?? 0) + (line.prompt_eval_duration ?? 0) + (line.eval_duration ?? 0);
  if (!((line.total_duration ?? -1) >= parts)) throw new Error(`${line.total_duration} ns are less than ${parts} ns`);
  return { prompt: line.prompt_eval_count ?? null, cached: null, output: line.eval_count ?? null, total: null };
}

const chatReader = readerOf(chatLine, saidInChat);
const chat: DialectDriver = {
  name: 'ollama chat',
  url: '/api/chat',
  streamType: 'application/x-ndjson',
  toBody: (ask) => ({
    ...settings(ask),
    messages: [{ role: 'user', content: ask.prompt }],
    ...(ask.tools && { tools: ask.tools.map((definition) => ({ type: 'function', function: definition })) }),
  }),
  readWhole: chatReader.readWhole,
  readStream: (text) => chatReader.readLines(linesOf(text)),
  readError: (body) => ({ message: ollamaError.strict().parse(body).error, field: null }),
  // Calls end an answer as any other end does.
  reasons: { stop: 'stop', stopSequence: 'stop', length: 'length', toolCalls: 'stop' },
  fields: { prompt: 'messages', model: 'model' },
  bad: [
    { fields: { options: { temperature: 3 } }, field: 'options.temperature' },
    { fields: { messages: [{ role: 'robot', content: 'x' }] }, field: 'messages.0.role' },
  ],
  can: { tools: true, forcedTool: false, singleCall: false, schema: true, reasoning: true },
  // Each line is a record to its readers.
  ping: null,
};

const generateReader = readerOf(generateLine, saidByPrompt);
const generate: DialectDriver = {
  ...chat,
  name: 'ollama generate',
  url: '/ollama/api/generate',
  toBody: (ask) => ({ ...settings(ask), prompt: ask.prompt }),
  readWhole: generateReader.readWhole,
  readStream: (text) => generateReader.readLines(linesOf(text)),
  reasons: { stop: 'stop', stopSequence: 'stop', length: 'length' },
  fields: { prompt: 'prompt', model: 'model' },
  bad: [
    { fields: { options: { temperature: 3 } }, field: 'options.temperature' },
    { fields: { prompt: 7 }, field: 'prompt' },
  ],
  can: { tools: false, forcedTool: false, singleCall: false, schema: true, reasoning: true },
};

/** One endpoint answers clients of Ollama and those of the first specification. */
const shared: DialectDriver = { ...generate, name: 'ollama generate where it is shared', url: '/api/generate' };

const seed: DialectDriver = {
  ...shared,
  name: "the first specification's generate",
  headers: { accept: 'text/event-stream' },
  streamType: 'text/event-stream',
  toBody: ({ maxTokens, ...ask }) => ({
    ...settings(ask),
    prompt: ask.prompt,
    temperature: 0.5,
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  }),
  readWhole(body) {
    const read = generateReader.readWhole(body);
    const { output, usage } = printed.parse(body);
    if (output !== read.text) throw new Error(`the texts differ: ${output}`);
    return { ...read, usage: { prompt: usage.input_tokens, cached: null, output: usage.output_tokens, total: null } };
  },
  readStream: (text) => generateReader.readLines(sseData(text).map((data) => JSON.parse(data))),
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { max_tokens: 0 }, field: 'max_tokens' },
  ],
  ping: /^: keep-alive$/m,
};

/** What the first specification prints of a whole answer. */
const printed = z.looseObject({
  request_id: z.string(),
  output: z.string(),
  model: z.string(),
  usage: z.strictObject({ input_tokens: z.number(), output_tokens: z.number() }),
});

/** Ollama's endpoints, and the first specification's. */
export const ollamaDrivers: readonly DialectDriver[] = [
  chat,
  { ...chat, name: 'ollama chat at its own root', url: '/ollama/api/chat' },
  generate,
  shared,
  seed,
];
