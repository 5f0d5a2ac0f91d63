import { access, address } from '../../api/api.ts';
import { ApiError, failureOf, readFailure, unreachable, wasAborted } from '../../api/failure.ts';
import { key } from '../../api/key.ts';
import { readSse } from '../../api/sse.ts';
import { type Answer, model, requestBody, sampling, type ToolCall, turns } from './chat-state.ts';

/** What a chunk of a streamed chat holds, as far as it is shown. */
interface Chunk {
  model?: string;
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  error?: unknown;
}

let running: AbortController | null = null;

/** Ends the answer that is being written; what is there stays. */
export function stopAnswer(): void {
  running?.abort();
}

/** Asks for the next answer of the conversation, and writes it into `turns` as it comes. */
export async function askAnswer(): Promise<void> {
  stopAnswer();
  const own = new AbortController();
  running = own;
  // Before the list of models is there, the server's own choice.
  const of = model.value || 'default';
  const body = requestBody({ model: of, turns: turns.value, sampling: sampling.value });
  const answer = newAnswer(of);
  turns.value = [...turns.value, answer];
  const beganMs = performance.now();
  let firstMs: number | null = null;
  let current = answer;
  const show = (changes: Partial<Answer>) => {
    const before = current;
    current = { ...current, ...changes };
    turns.value = turns.value.map((turn) => (turn === before ? current : turn));
  };
  try {
    const response = await post(body, answer.requestId, own.signal);
    show({ provider: response.headers.get('x-provider-used') });
    for await (const { data } of readSse(response.body!)) {
      if (data === '[DONE]') break;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error !== undefined) throw new ApiError(readFailure(200, data));
      const changes = changesOf(current, chunk);
      if (firstMs === null && changes.state) {
        firstMs = performance.now();
        changes.firstTokenMs = firstMs - beganMs;
      }
      show(changes);
    }
    const seconds = firstMs === null ? 0 : (performance.now() - firstMs) / 1_000;
    const { outputTokens } = current;
    show({
      tokensPerSecond: outputTokens !== null && outputTokens > 1 && seconds > 0 ? (outputTokens - 1) / seconds : null,
    });
  } catch (thrown) {
    show(wasAborted(thrown) ? { wasStopped: true } : { failure: failureOf(thrown) });
  } finally {
    show({ state: null });
    if (running === own) running = null;
  }
}

function newAnswer(of: string): Answer {
  const random = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0'));
  return {
    role: 'assistant',
    text: '',
    thinking: '',
    calls: [],
    state: 'waiting',
    requestId: `ui_${random.join('')}`,
    model: of,
    promptTokens: null,
    outputTokens: null,
    firstTokenMs: null,
    tokensPerSecond: null,
    finishReason: null,
    provider: null,
    wasStopped: false,
    failure: null,
  };
}

async function post(body: object, requestId: string, signal: AbortSignal): Promise<Response> {
  const given = key.value;
  const response = await fetch(address('v1/chat/completions'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // By this it is found among the requests that wait.
      'x-request-id': requestId,
      ...(given !== null && { authorization: `Bearer ${given}` }),
    },
    body: JSON.stringify({ ...body, stream_options: { include_usage: true } }),
    signal,
  }).catch((error: unknown) => {
    throw wasAborted(error) ? error : new ApiError(unreachable);
  });
  if (response.ok) return response;
  if (response.status === 401) access.value = 'asked';
  throw new ApiError(readFailure(response.status, await response.text()));
}

/** What a chunk changes of an answer. */
function changesOf(before: Answer, { choices, usage, model: of }: Chunk): Partial<Answer> {
  const choice = choices?.[0];
  const { content, reasoning_content: thought, tool_calls: pieces } = choice?.delta ?? {};
  return {
    ...(of && { model: of }),
    ...(thought && { thinking: before.thinking + thought, state: 'thinking' as const }),
    ...(content && { text: before.text + content, state: 'writing' as const }),
    ...(pieces && { calls: withPieces(before.calls, pieces), state: 'writing' as const }),
    ...(choice?.finish_reason && { finishReason: choice.finish_reason }),
    ...(usage && { promptTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens }),
  };
}

function withPieces(
  calls: readonly ToolCall[],
  pieces: readonly { index: number; id?: string; function?: { name?: string; arguments?: string } }[],
): ToolCall[] {
  const next = [...calls];
  for (const { index, id, function: said } of pieces) {
    const before = next[index] ?? { id: '', name: '', arguments: '' };
    next[index] = {
      id: id ?? before.id,
      name: said?.name ?? before.name,
      arguments: before.arguments + (said?.arguments ?? ''),
    };
  }
  return next;
}
