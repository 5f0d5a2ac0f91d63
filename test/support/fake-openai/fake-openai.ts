import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { collect } from '../collect.ts';
import { createFakeFileBatches, type FakeFileBatches } from './batches.ts';
import { type Body, countPrompt, type ToyAnswer, toyAnswer } from './toy-model.ts';
import { type Manner, toChunks, toError, toWhole } from './wording.ts';

/** What goes wrong with one request. Bytes are of the body. */
export type Fault =
  /** The connection is gone before there is a head. */
  | { type: 'reset' }
  /** This answer in place of the own one. */
  | {
      type: 'answer';
      status: number;
      body: string;
      contentType?: string;
      headers?: Record<string, string>;
      /** Its connection stays open after it. */
      stalls?: boolean;
    }
  /** The error of this service. */
  | { type: 'error'; status: number; message: string; headers?: Record<string, string> }
  /** After so many bytes nothing comes any more; -1: not even the head. */
  | { type: 'stall'; afterBytes: number }
  /** After so many bytes the connection breaks, or ends in order. */
  | { type: 'cut'; afterBytes: number }
  | { type: 'end'; afterBytes: number }
  /** The own answer in pieces of so many bytes. */
  | { type: 'pieces'; bytes: number }
  /** The toy says this. */
  | { type: 'say'; answer: Partial<ToyAnswer> };

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** As it came. */
  text: string;
  body: Body;
}

export interface FakeOpenAi {
  /** With `/v1` at its end. */
  baseUrl: string;
  /** Every request so far, in order. */
  requests: SeenRequest[];
  batches: FakeFileBatches;
  /** Faults of the requests to come, one each. */
  play(...faults: Fault[]): void;
  /** Answers that are being given. */
  running(): number;
  /** Connections that are open. */
  sockets(): number;
  close(): Promise<void>;
}

/** A service of OpenAI's dialect over a real socket, on a free port of this machine. */
export async function startFakeOpenAi(
  manner: Manner = 'openai',
  models = ['toy', 'toy-embed', 'toy-rerank'],
  now = () => new Date(),
): Promise<FakeOpenAi> {
  const requests: SeenRequest[] = [];
  const faults: Fault[] = [];
  const sockets = new Set<{ destroy(): void }>();
  let running = 0;
  const batches = createFakeFileBatches({
    now,
    answer(path, body) {
      const seen = { method: 'POST', path, headers: {}, text: '', body };
      const { status, records } = payloadOf(seen, null, { manner, models, batches });
      return { status, body: JSON.parse(records.join('')) };
    },
  });
  const server = createServer(async (request, response) => {
    const text = Buffer.concat(await collect<Buffer>(request)).toString();
    const seen = {
      method: request.method!,
      path: request.url!,
      headers: request.headers,
      text,
      body: text === '' || isForm(request) ? null : JSON.parse(text),
    };
    requests.push(seen);
    running++;
    response.on('close', () => running--);
    const fault = faults.shift() ?? null;
    if (batches.swallows && seen.path === '/v1/batches' && seen.method === 'POST') {
      batches.swallows = false;
      payloadOf(seen, fault, { manner, models, batches });
      return;
    }
    await answer(seen, fault, response, { manner, models, batches });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    batches,
    play: (...more) => void faults.push(...more),
    running: () => running,
    sockets: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface FakeParts {
  manner: Manner;
  models: readonly string[];
  batches: FakeFileBatches;
}

function isForm({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.startsWith('multipart/') ?? false;
}

interface Payload {
  status: number;
  headers: Record<string, string>;
  records: string[];
}

async function answer(
  seen: SeenRequest,
  fault: Fault | null,
  response: ServerResponse,
  fake: FakeParts,
): Promise<void> {
  if (fault?.type === 'reset') return void response.destroy();
  if (fault?.type === 'stall' && fault.afterBytes === -1) return;
  const { status, headers, records } = payloadOf(seen, fault, fake);
  response.writeHead(status, { 'x-request-id': 'req_fake', ...headers });
  const whole = Buffer.from(records.join(''));
  const stop = fault && 'afterBytes' in fault ? fault.afterBytes : whole.length;
  const pieces = fault?.type === 'pieces' ? inPieces(whole, fault.bytes) : records.map((record) => Buffer.from(record));
  let sent = 0;
  for (const piece of pieces) {
    if (response.destroyed) return;
    const left = Math.max(0, stop - sent);
    sent += piece.length;
    if (left > 0) response.write(piece.subarray(0, left));
    // Each piece is a packet of its own, so that readers see it by itself.
    await nextTurn();
    if (sent >= stop) break;
  }
  if (fault?.type === 'stall' || (fault?.type === 'answer' && fault.stalls)) return;
  if (fault?.type === 'cut') return void response.destroy();
  response.end();
}

function inPieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function payloadOf(seen: SeenRequest, fault: Fault | null, { manner, models, batches }: FakeParts): Payload {
  if (fault?.type === 'answer') {
    const headers = { 'content-type': fault.contentType ?? 'application/json', ...fault.headers };
    return { status: fault.status, headers, records: [fault.body] };
  }
  if (fault?.type === 'error') return errorOf(fault.status, fault.message, manner, fault.headers);
  const { body } = seen;
  const path = seen.path.replace(/^\/v1/, '');
  if (path === '/models')
    return json({ object: 'list', data: models.map((id) => ({ id, object: 'model', created: 1, owned_by: 'fake' })) });
  const batched = batches.handle({
    method: seen.method,
    url: new URL(seen.path, 'http://fake'),
    type: seen.headers['content-type'] ?? '',
    text: seen.text,
  });
  if (batched !== null) {
    const record = typeof batched.body === 'string' ? batched.body : JSON.stringify(batched.body);
    return { status: batched.status, headers: { 'content-type': 'application/json' }, records: [record] };
  }
  if (!models.includes(body?.model)) return errorOf(404, `The model \`${body?.model}\` does not exist`, manner);
  if (path === '/chat/completions' && !Array.isArray(body.messages))
    return errorOf(400, 'messages: a list is needed', manner);
  switch (path) {
    case '/chat/completions':
    case '/completions': {
      const said = { ...toyAnswer(body), ...(fault?.type === 'say' && fault.answer) };
      if (!body.stream && body.logprobs && lettersIn(body).length > 0) return json(decided(body));
      if (!body.stream) return json(toWhole(body, said, manner));
      const records = toChunks(body, said, manner).map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
      return {
        status: 200,
        headers: { 'content-type': 'text/event-stream' },
        records: [...records, 'data: [DONE]\n\n'],
      };
    }
    case '/chat/completions/input_tokens':
      return json({ object: 'response.input_tokens', input_tokens: countPrompt(body) });
    case '/tokenize':
      return json(tokensOf(body, manner));
    case '/detokenize': {
      const text = body.tokens.map((token: number) => words[token] ?? '?').join(' ');
      return json(manner === 'vllm' ? { prompt: text } : { content: text });
    }
    case '/apply-template':
      return json({ prompt: body.messages.map((message: Body) => `<${message.role}> ${message.content}`).join(' ') });
    case '/embeddings':
      return json(vectorsOf(body));
    case '/rerank':
      return json(scoresOf(body));
    default:
      return errorOf(404, `There is no ${seen.path}`, manner);
  }
}

function json(value: unknown): Payload {
  return { status: 200, headers: { 'content-type': 'application/json' }, records: [JSON.stringify(value)] };
}

function errorOf(status: number, message: string, manner: Manner, headers: Record<string, string> = {}): Payload {
  const { body, contentType } = toError(status, message, manner);
  return { status, headers: { 'content-type': contentType, ...headers }, records: [body] };
}

/** Token n is the nth of these. */
const words = ['<s>', 'one', 'two', 'three', '<user>', '<assistant>'];

/** Options that the last message names by letters: `A) …`. */
function lettersIn(body: Body): [letter: string, text: string][] {
  const text = String(body.messages?.at(-1)?.content ?? '');
  return [...text.matchAll(/^([A-Z])\) (.+)$/gm)].map(([, letter, option]) => [letter!, option!]);
}

/** One token: nine tenths fall on the letters, by the lengths of what they stand for; the first place has a bonus. */
function decided(body: Body): object {
  const options = lettersIn(body).map(([letter, text], at) => ({ letter, weight: text.length * (at === 0 ? 1.5 : 1) }));
  const sum = options.reduce((all, { weight }) => all + weight, 0);
  const top = [
    ...options.map(({ letter, weight }) => ({ token: ` ${letter}`, logprob: Math.log((0.9 * weight) / sum) })),
    { token: 'The', logprob: Math.log(0.05) },
  ].sort((a, b) => b.logprob - a.logprob);
  return {
    id: 'chatcmpl-fake',
    object: 'chat.completion',
    model: body.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: top[0]!.token },
        logprobs: { content: [{ ...top[0], top_logprobs: top.slice(0, body.top_logprobs) }] },
        finish_reason: 'length',
      },
    ],
    usage: { prompt_tokens: 40, completion_tokens: 1, total_tokens: 41, prompt_tokens_details: { cached_tokens: 30 } },
  };
}

const unknownToken = 9;

/** Every word is a token, and each message has one more; in front of texts is the start token, where it is asked for. */
function tokensOf(body: Body, manner: Manner): object {
  const text: string | undefined = body.content ?? body.prompt;
  // vLLM puts it in front of prompts, where nothing is said.
  const hasStart = body.add_special ?? body.add_special_tokens ?? body.prompt !== undefined;
  const said = text ?? body.messages.map(({ role, content }: Body) => `<${role}> ${content}`).join(' ');
  const found = said
    .split(/\s+/)
    .filter(Boolean)
    .map((word: string) => words.indexOf(word));
  const tokens = [...(hasStart ? [0] : []), ...found.map((token: number) => (token < 0 ? unknownToken : token))];
  if (manner === 'vllm') return { count: tokens.length, max_model_len: 99, tokens };
  return { tokens: body.with_pieces ? tokens.map((id) => ({ id, piece: words[id] ?? [255] })) : tokens };
}

/** Vectors that are not of length 1, the last input first. */
function vectorsOf({ input, model }: Body): object {
  const data = [input]
    .flat()
    .map((text: unknown, index: number) => ({ object: 'embedding', index, embedding: [3, 4, String(text).length] }));
  return {
    object: 'list',
    data: data.reverse(),
    model,
    usage: { prompt_tokens: data.length * 3, total_tokens: data.length * 3 },
  };
}

/** The longer the document the better, the best first. */
function scoresOf({ documents, model }: Body): object {
  const results = documents.map((text: string, index: number) => ({ index, relevance_score: text.length / 100 }));
  return {
    model,
    results: results.sort((a: Body, b: Body) => b.relevance_score - a.relevance_score),
    usage: { total_tokens: 9 },
  };
}
