import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { responseAnswer, responseEvent } from '../../../src/http/openai/responses/answer-schema.ts';
import { sseRecords } from '../../http/harness.ts';
import type { DialectDriver, ReadAnswer } from '../dialect.contract.ts';
import { readOpenaiError } from './openai-objects.ts';

type Response = z.infer<typeof responseAnswer>;
type Item = Response['output'][number];

/** What a response that failed says of it. */
const failure = z.strictObject({ code: z.string(), message: z.string(), param: z.string().nullable() });

const part = z.strictObject({ type: z.string(), text: z.string(), annotations: z.unknown(), logprobs: z.unknown() });
const items = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('message'),
    id: z.string(),
    status: z.string(),
    role: z.literal('assistant'),
    content: z.array(part.extend({ type: z.literal('output_text') })),
  }),
  z.strictObject({
    type: z.literal('reasoning'),
    id: z.string(),
    status: z.string(),
    summary: z.tuple([]),
    content: z.array(z.strictObject({ type: z.literal('reasoning_text'), text: z.string() })),
    encrypted_content: z.null(),
  }),
  z.strictObject({
    type: z.literal('function_call'),
    id: z.string(),
    status: z.string(),
    arguments: z.string(),
    call_id: z.string(),
    name: z.string(),
  }),
]);

const driver: DialectDriver = {
  name: 'openai responses',
  url: '/v1/responses',
  streamType: 'text/event-stream',
  toBody: ({ prompt, stream, model, maxTokens, stop, tools, toolChoice, isSingleCall, schema }) => ({
    model: model ?? 'tiny',
    input: prompt,
    ...(stream && { stream }),
    ...(maxTokens !== undefined && { max_output_tokens: maxTokens }),
    ...(stop && { stop }),
    ...(tools && { tools: tools.map((definition) => ({ type: 'function', strict: false, ...definition })) }),
    ...(toolChoice && {
      tool_choice: typeof toolChoice === 'string' ? toolChoice : { type: 'function', ...toolChoice },
    }),
    ...(isSingleCall && { parallel_tool_calls: false }),
    ...(schema && { text: { format: { type: 'json_schema', name: 'answer', schema } } }),
  }),
  readWhole: (body) => read(responseAnswer.parse(body)),
  readStream: readEvents,
  readError(body) {
    const failed = failure.safeParse(body);
    return failed.success ? { message: failed.data.message, field: failed.data.param } : readOpenaiError(body);
  },
  // A response is whole whichever way its text ended.
  reasons: { stop: 'completed', stopSequence: 'completed', length: 'max_output_tokens', toolCalls: 'completed' },
  fields: { prompt: 'input', model: 'model' },
  bad: [
    { fields: { temperature: 3 }, field: 'temperature' },
    { fields: { input: [{ role: 'robot', content: 'x' }] }, field: 'input.0.role' },
  ],
  can: { tools: true, forcedTool: true, singleCall: true, schema: true, reasoning: true },
  ping: /^: keep-alive$/m,
};

function read({ output, model, status, incomplete_details, usage }: Response): ReadAnswer {
  const whole = output.map((item) => items.parse(item));
  const textsOf = (type: 'message' | 'reasoning') =>
    whole.flatMap((item) => (item.type === type ? item.content.map(({ text }) => text) : [])).join('');
  return {
    text: textsOf('message'),
    reasoning: textsOf('reasoning'),
    calls: whole.flatMap((item) =>
      item.type === 'function_call'
        ? [{ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) }]
        : [],
    ),
    model,
    reason: status === 'in_progress' || status === 'failed' ? null : (incomplete_details?.reason ?? status),
    usage: usage && {
      prompt: usage.input_tokens,
      cached: usage.input_tokens_details.cached_tokens,
      output: usage.output_tokens,
      total: usage.total_tokens,
    },
  };
}

/** Adds events up as the SDK does; throws where what was added up is not what the last event says. */
function readEvents(text: string) {
  let response: Response | null = null;
  let last: Response | null = null;
  for (const [place, { event: name, data }] of sseRecords(text).entries()) {
    const event = responseEvent.parse(JSON.parse(data));
    if (event.type !== name) throw new Error(`the record ${name} holds ${event.type}`);
    if (event.sequence_number !== place) throw new Error(`number ${event.sequence_number} is at place ${place}`);
    if (last !== null) throw new Error(`${name} comes after the end`);
    if (event.type === 'error') {
      const { type: _type, sequence_number: _number, ...error } = event;
      return { ...read(response!), hasEnded: false, error };
    }
    if ('response' in event) {
      const told = responseAnswer.parse(event['response']);
      if (name === 'response.created' || name === 'response.in_progress') response = told;
      else last = told;
    } else add(response!.output, event);
  }
  if (response === null) throw new Error('there was no response.created');
  if (last === null) return { ...read(response), hasEnded: false, error: null };
  if (!isDeepStrictEqual(response.output, last.output)) {
    throw new Error(`events and response differ: ${JSON.stringify([response.output, last.output])}`);
  }
  return { ...read(last), hasEnded: last.status !== 'failed', error: last.error };
}

function add(output: Item[], event: z.infer<typeof responseEvent>): void {
  const place = Number(event['output_index']);
  const item = output[place];
  const parts = () => item?.['content'] as { text: string }[];
  const partAt = () => parts()[Number(event['content_index'])]!;
  switch (event.type) {
    case 'response.output_item.added':
      if (place !== output.length) throw new Error(`the item of place ${place} is at ${output.length}`);
      output.push(event['item'] as Item);
      break;
    case 'response.content_part.added':
      parts().push(event['part'] as { text: string });
      break;
    case 'response.output_text.delta':
    case 'response.reasoning_text.delta':
      partAt().text += event['delta'];
      break;
    case 'response.function_call_arguments.delta':
      item!['arguments'] = `${item!['arguments']}${event['delta']}`;
      break;
    case 'response.output_text.done':
    case 'response.reasoning_text.done':
      if (partAt().text !== event['text']) throw new Error(`${event.type} has another text`);
      break;
    case 'response.function_call_arguments.done':
      if (item!['arguments'] !== event['arguments']) throw new Error('the end of a call has other arguments');
      break;
    case 'response.content_part.done':
      if (JSON.stringify(partAt()) !== JSON.stringify(event['part'])) throw new Error('a part has another end');
      break;
    case 'response.output_item.done':
      output[place] = event['item'] as Item;
      break;
    default:
      throw new Error(`${event.type} is no event of this suite`);
  }
}

/** OpenAI's Responses. */
export const openaiResponsesDrivers: readonly DialectDriver[] = [driver];
