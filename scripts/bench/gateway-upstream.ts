/**
 * A process of the `gateway` bench: services of OpenAI's and Anthropic's dialects whose head comes after a fixed time and
 * whose chunks come at a fixed pace. Of a request only `stream`, `model` and the limit of tokens count, one chunk for each.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface UpstreamTask {
  /** From the end of a request to the head and the first chunk of its answer. */
  latencyMs: number;
  /** Between two chunks. */
  paceMs: number;
}

export interface UpstreamReady {
  type: 'ready';
  port: number;
}

interface Asked {
  model: string;
  stream: boolean;
  tokens: number;
}

/** The records of a stream: those before the first chunk with it, the chunk itself, those after the last. */
interface Wording {
  whole(asked: Asked): object;
  first(asked: Asked): string;
  chunk(asked: Asked): string;
  last(asked: Asked): string;
}

const word = ' token';

const openai: Wording = {
  whole: ({ model, tokens }) => ({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_764_400_000,
    model,
    choices: [
      { index: 0, message: { role: 'assistant', content: word.repeat(tokens) }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens: 20, completion_tokens: tokens, total_tokens: 20 + tokens },
  }),
  first: (asked) => openaiChunk(asked, [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
  chunk: (asked) => openaiChunk(asked, [{ index: 0, delta: { content: word }, finish_reason: null }]),
  last: (asked) =>
    openaiChunk(asked, [{ index: 0, delta: {}, finish_reason: 'stop' }]) +
    openaiChunk(asked, [], {
      prompt_tokens: 20,
      completion_tokens: asked.tokens,
      total_tokens: 20 + asked.tokens,
    }) +
    'data: [DONE]\n\n',
};

function openaiChunk({ model }: Asked, choices: object[], usage: object | null = null): string {
  const chunk = {
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_764_400_000,
    model,
    choices,
    usage,
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

const anthropic: Wording = {
  whole: ({ model, tokens }) => ({
    ...anthropicMessage(model),
    content: [{ type: 'text', text: word.repeat(tokens) }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 20, output_tokens: tokens },
  }),
  first: ({ model }) =>
    anthropicEvent({ type: 'message_start', message: anthropicMessage(model) }) +
    anthropicEvent({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  chunk: () => anthropicEvent({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: word } }),
  last: ({ tokens }) =>
    anthropicEvent({ type: 'content_block_stop', index: 0 }) +
    anthropicEvent({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: tokens },
    }) +
    anthropicEvent({ type: 'message_stop' }),
};

function anthropicMessage(model: string) {
  return {
    id: 'msg_bench',
    type: 'message',
    role: 'assistant',
    model,
    content: [] as object[],
    stop_reason: null as string | null,
    stop_sequence: null,
    usage: { input_tokens: 20, output_tokens: 1 },
  };
}

function anthropicEvent(event: { type: string; [field: string]: unknown }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const task = JSON.parse(process.argv[2]!) as UpstreamTask;

function answer(asked: Asked, wording: Wording, response: ServerResponse): void {
  if (!asked.stream) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(wording.whole(asked)));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = wording.chunk(asked);
  response.write(wording.first(asked) + chunk);
  let left = asked.tokens - 1;
  const timer = setInterval(() => {
    if (left-- > 0) return void response.write(chunk);
    clearInterval(timer);
    response.end(wording.last(asked));
  }, task.paceMs);
  response.on('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(pieces).toString('utf8')) as Record<string, unknown>;
    const asked = {
      model: String(body['model']),
      stream: body['stream'] === true,
      tokens: Number(body['max_tokens'] ?? body['max_completion_tokens']),
    };
    const wording = request.url!.endsWith('/messages') ? anthropic : openai;
    setTimeout(() => answer(asked, wording, response), task.latencyMs);
  });
});
server.listen(0, '127.0.0.1', () => {
  const ready: UpstreamReady = { type: 'ready', port: (server.address() as AddressInfo).port };
  process.send?.(ready);
});
// Ends with the bench, however that ends.
process.on('disconnect', () => process.exit(0));
