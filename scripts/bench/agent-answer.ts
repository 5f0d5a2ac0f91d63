import { asRecord, type JsonRecord, parseRecord, recordIn } from './json.ts';
import type { TimedRecord } from './sse.ts';

/** One answer of an agent session, in whichever dialect. */
export interface AgentAnswer {
  /** When the first record came, and the first of the answer's own content; null: there was none. */
  firstRecordMs: number | null;
  firstContentMs: number | null;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** What goes into the conversation as it came: blocks of a message, or items of a response. */
  content: JsonRecord[];
  /** The calls in it, by the ids that their results name. */
  callIds: string[];
  /** Why it is no whole answer, or null. */
  failure: string | null;
}

const nothing = (records: readonly TimedRecord[]): AgentAnswer => ({
  firstRecordMs: records[0]?.atMs ?? null,
  firstContentMs: null,
  promptTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  content: [],
  callIds: [],
  failure: 'the stream ended without its last event',
});

const countIn = (record: JsonRecord | null, field: string) => Number(record?.[field] ?? 0);
const textIn = (record: JsonRecord | null, field: string) => String(record?.[field] ?? '');

/** Reads the stream of Anthropic's messages. */
export function readMessage(records: readonly TimedRecord[]): AgentAnswer {
  const answer = nothing(records);
  let argumentsText = '';
  for (const { data, atMs } of records) {
    const event = parseRecord(data);
    const block = answer.content.at(-1) ?? null;
    const delta = recordIn(event, 'delta');
    switch (event['type']) {
      case 'content_block_start':
        answer.firstContentMs ??= atMs;
        argumentsText = '';
        answer.content.push({ ...recordIn(event, 'content_block') });
        break;
      case 'content_block_delta':
        argumentsText += textIn(delta, 'partial_json');
        for (const field of ['text', 'thinking', 'signature']) {
          if (block && delta?.[field] !== undefined) block[field] = textIn(block, field) + textIn(delta, field);
        }
        break;
      case 'content_block_stop':
        if (block?.['type'] !== 'tool_use') break;
        block['input'] = parseRecord(argumentsText);
        answer.callIds.push(textIn(block, 'id'));
        break;
      case 'message_delta': {
        const usage = recordIn(event, 'usage');
        answer.cachedTokens = countIn(usage, 'cache_read_input_tokens');
        answer.promptTokens =
          countIn(usage, 'input_tokens') + countIn(usage, 'cache_creation_input_tokens') + answer.cachedTokens;
        answer.outputTokens = countIn(usage, 'output_tokens');
        break;
      }
      case 'message_stop':
        answer.failure = null;
        break;
      case 'error':
        answer.failure = textIn(recordIn(event, 'error'), 'message');
    }
  }
  return answer;
}

/** Reads the stream of OpenAI's responses. */
export function readResponse(records: readonly TimedRecord[]): AgentAnswer {
  const answer = nothing(records);
  for (const { data, atMs } of records) {
    const event = parseRecord(data);
    const response = recordIn(event, 'response');
    switch (event['type']) {
      case 'response.output_item.added':
        answer.firstContentMs ??= atMs;
        break;
      case 'response.completed':
      case 'response.incomplete': {
        const usage = recordIn(response, 'usage');
        answer.promptTokens = countIn(usage, 'input_tokens');
        answer.cachedTokens = countIn(recordIn(usage, 'input_tokens_details'), 'cached_tokens');
        answer.outputTokens = countIn(usage, 'output_tokens');
        const output = response?.['output'];
        answer.content = (Array.isArray(output) ? output : []).map((item) => asRecord(item) ?? {});
        answer.callIds = answer.content.flatMap(({ type, call_id: id }) =>
          type === 'function_call' ? String(id) : [],
        );
        answer.failure = null;
        break;
      }
      case 'response.failed':
      case 'error':
        answer.failure = textIn(recordIn(response ?? event, 'error'), 'message');
    }
  }
  return answer;
}
