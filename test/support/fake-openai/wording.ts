import type { Body, Said, ToyAnswer } from './toy-model.ts';

/** Whose manners the fake has. */
export type Manner = 'openai' | 'gemini' | 'deepseek' | 'llama-server' | 'vllm' | 'ollama';

const id = 'chatcmpl-fake';
const created = 1_764_400_000;

/** A whole answer. */
export function toWhole(body: Body, answer: ToyAnswer, manner: Manner): object {
  const isChat = body.messages !== undefined;
  return {
    id,
    object: isChat ? 'chat.completion' : 'text_completion',
    created,
    model: body.model,
    choices: answer.choices.map((said, index) => ({
      index,
      ...(isChat ? { message: messageOf(said, manner) } : { text: said.words.join(' ') }),
      logprobs: body.logprobs ? logprobsOf(said.words) : null,
      finish_reason: finishOf(said, manner),
      ...stopReason(said, manner),
    })),
    usage: usageOf(answer, manner),
    ...(manner === 'openai' && { service_tier: 'default', system_fingerprint: 'fp_fake' }),
  };
}

/** The same as the records of a stream, without the last `[DONE]`. */
export function toChunks(body: Body, answer: ToyAnswer, manner: Manner): object[] {
  const isChat = body.messages !== undefined;
  const wantsUsage = body.stream_options?.include_usage === true;
  const hasUsageInEach = manner === 'gemini';
  const chunk = (choices: object[], usage: object | null = null) => ({
    id,
    object: isChat ? 'chat.completion.chunk' : 'text_completion',
    created,
    model: body.model,
    choices,
    ...(manner === 'openai' && { service_tier: 'default', system_fingerprint: 'fp_fake' }),
    ...(hasUsageInEach ? { usage: usageOf(answer, manner) } : wantsUsage && { usage }),
  });
  const piece = (index: number, delta: object, rest: object = {}) => ({
    index,
    ...(isChat ? { delta } : { text: (delta as Body).content ?? '' }),
    logprobs: null,
    finish_reason: null,
    ...rest,
  });
  const records: object[] = [];
  for (const [index, said] of answer.choices.entries()) {
    if (isChat) records.push(chunk([piece(index, { role: 'assistant', content: said.calls.length > 0 ? null : '' })]));
    for (const thought of said.thoughts) records.push(chunk([piece(index, thoughtOf(thought, manner))]));
  }
  // Choices come in turn, word by word.
  const longest = Math.max(...answer.choices.map(({ words }) => words.length));
  for (let at = 0; at < longest; at++) {
    for (const [index, { words }] of answer.choices.entries()) {
      if (at >= words.length) continue;
      const content = at === 0 ? words[at]! : ` ${words[at]}`;
      const logprobs = body.logprobs ? { logprobs: logprobsOf([content]) } : {};
      records.push(chunk([piece(index, { content }, logprobs)]));
    }
  }
  for (const [index, said] of answer.choices.entries()) {
    for (const delta of callDeltas(said, manner)) records.push(chunk([piece(index, delta)]));
    records.push(chunk([piece(index, {}, { finish_reason: finishOf(said, manner), ...stopReason(said, manner) })]));
  }
  if (wantsUsage && !hasUsageInEach) records.push(chunk([], usageOf(answer, manner)));
  return records;
}

function messageOf({ words, thoughts, calls }: Said, manner: Manner): object {
  return {
    role: 'assistant',
    content: calls.length > 0 ? null : words.join(' '),
    ...(manner === 'openai' && { refusal: null, annotations: [] }),
    ...(thoughts.length > 0 && thoughtOf(thoughts.join(' '), manner)),
    ...(calls.length > 0 && { tool_calls: calls.map((call, index) => callOf(call, index, manner)) }),
  };
}

function callOf(call: Said['calls'][number], index: number, manner: Manner): object {
  return {
    // Gemini gives every call the number 0, and the first of a turn a signature.
    ...(manner === 'gemini' && { index: 0 }),
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
    ...(manner === 'gemini' &&
      index === 0 && { extra_content: { google: { thought_signature: `signed ${call.id}` } } }),
  };
}

/** Gemini and Ollama give a call in one piece, the others name and arguments apart. */
function callDeltas({ calls }: Said, manner: Manner): object[] {
  return calls.flatMap((call, index) => {
    if (manner === 'gemini' || manner === 'ollama') {
      return [{ tool_calls: [{ index: manner === 'gemini' ? 0 : index, ...callOf(call, index, manner) }] }];
    }
    const half = Math.ceil(call.arguments.length / 2);
    const { id: callId, name, arguments: text } = call;
    return [
      { tool_calls: [{ index, id: callId, type: 'function', function: { name, arguments: '' } }] },
      { tool_calls: [{ index, function: { arguments: text.slice(0, half) } }] },
      { tool_calls: [{ index, function: { arguments: text.slice(half) } }] },
    ];
  });
}

function thoughtOf(text: string, manner: Manner): object {
  if (manner === 'gemini')
    return { content: `<thought>${text}</thought>`, extra_content: { google: { thought: true } } };
  return { [manner === 'vllm' || manner === 'ollama' ? 'reasoning' : 'reasoning_content']: text };
}

/** Gemini says "stop" of an answer that calls a tool. */
function finishOf({ finish }: Said, manner: Manner): string {
  return manner === 'gemini' && finish === 'tool_calls' ? 'stop' : finish;
}

function stopReason({ stop }: Said, manner: Manner): object {
  return manner === 'vllm' ? { stop_reason: stop } : {};
}

/** Half of the prompt comes from a cache. */
function usageOf({ promptTokens, outputTokens, reasoningTokens }: ToyAnswer, manner: Manner): object {
  const cached = Math.floor(promptTokens / 2);
  const total = promptTokens + outputTokens;
  const completion = manner === 'gemini' ? outputTokens - reasoningTokens : outputTokens;
  const counts = { prompt_tokens: promptTokens, completion_tokens: completion, total_tokens: total };
  if (manner === 'ollama') return counts;
  if (manner === 'deepseek') {
    return {
      ...counts,
      prompt_cache_hit_tokens: cached,
      prompt_cache_miss_tokens: promptTokens - cached,
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    };
  }
  if (manner === 'gemini') return counts;
  return {
    ...counts,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

function logprobsOf(words: readonly string[]): object {
  const token = (text: string) => ({ token: text, logprob: -0.5, bytes: [...Buffer.from(text)] });
  return { content: words.map((word) => ({ ...token(word), top_logprobs: [token(word)] })), refusal: null };
}

/** How each service words a failure. */
export function toError(status: number, message: string, manner: Manner): { body: string; contentType: string } {
  const json = (value: unknown) => ({ body: JSON.stringify(value), contentType: 'application/json' });
  if (manner === 'gemini') return json([{ error: { code: status, message, status: 'INVALID_ARGUMENT' } }]);
  if (manner === 'llama-server') return json({ error: { code: status, message, type: 'invalid_request_error' } });
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return json({ error: { message, type, param: null, code: null } });
}
