import { asRecord, type JsonRecord, parseRecord, recordIn } from './json.ts';
import type { TimedRecord } from './sse.ts';

/** What the records of an OpenAI stream say, whichever server wrote them. */
export interface StreamedAnswer {
  /** Arrival of each chunk that carried text, reasoning or a piece of a tool call. */
  tokenTimesMs: number[];
  text: string;
  promptTokens: number | null;
  cachedPromptTokens: number | null;
  completionTokens: number | null;
  /** Message of an error record, or that the end mark is missing; null for a complete answer. */
  failure: string | null;
}

/** Reads chat and completion chunks alike. Lenient: a field that a server leaves out is unknown, not wrong. */
export function readAnswer(records: readonly TimedRecord[]): StreamedAnswer {
  const answer: StreamedAnswer = {
    tokenTimesMs: [],
    text: '',
    promptTokens: null,
    cachedPromptTokens: null,
    completionTokens: null,
    failure: null,
  };
  let ended = false;
  for (const { data, atMs } of records) {
    if (data === '[DONE]') {
      ended = true;
      continue;
    }
    const chunk = parseRecord(data);
    const error = recordIn(chunk, 'error');
    if (error) {
      answer.failure = typeof error['message'] === 'string' ? error['message'] : JSON.stringify(error);
      continue;
    }
    takeUsage(answer, recordIn(chunk, 'usage'));
    const choices = chunk['choices'];
    const choice = asRecord(Array.isArray(choices) ? choices[0] : null);
    if (typeof choice?.['finish_reason'] === 'string') ended = true;
    const text = textOf(choice);
    if (text === '') continue;
    answer.text += text;
    answer.tokenTimesMs.push(atMs);
  }
  if (!ended) answer.failure ??= 'the stream ended without its end mark';
  return answer;
}

/** Text of a completion chunk, or text, reasoning and tool arguments of a chat chunk. */
function textOf(choice: JsonRecord | null): string {
  const delta = recordIn(choice, 'delta');
  const parts = [choice?.['text'], delta?.['content'], delta?.['reasoning_content'], delta?.['reasoning']];
  const calls = delta?.['tool_calls'];
  for (const call of Array.isArray(calls) ? calls : []) {
    parts.push(recordIn(asRecord(call), 'function')?.['arguments']);
  }
  return parts.filter((part) => typeof part === 'string').join('');
}

function takeUsage(answer: StreamedAnswer, usage: JsonRecord | null): void {
  if (!usage) return;
  const count = (value: unknown, known: number | null) => (typeof value === 'number' ? value : known);
  answer.promptTokens = count(usage['prompt_tokens'], answer.promptTokens);
  answer.completionTokens = count(usage['completion_tokens'], answer.completionTokens);
  const details = recordIn(usage, 'prompt_tokens_details');
  answer.cachedPromptTokens = count(details?.['cached_tokens'], answer.cachedPromptTokens);
}
