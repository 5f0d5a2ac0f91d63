import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerInWords } from '../word-model.ts';
import { createFakeBatches, type FakeBatches } from './batches.ts';
import { faultOf, type WireFault } from './faults.ts';
import { checkRequest, fakeSignature, type Json, refusal } from './rules.ts';

/** One request that arrived, as it came. */
export interface ArrivedRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** Byte for byte. */
  text: string;
  body: Json;
}

/** The API on the loopback address: both versions, its checks, whole answers and streams. */
export interface FakeAnthropic {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  key: string;
  requests: ArrivedRequest[];
  /** What goes wrong with the requests to come, one after the other; then nothing does. */
  faults: (WireFault | null)[];
  /** The events that answers to come are made of, in place of words. */
  recording: string | null;
  batches: FakeBatches;
  /** Answers that have not ended. */
  running(): number;
  /** Connections that were opened so far. */
  accepted(): number;
  close(): Promise<void>;
}

export const fakeModel = 'claude-sonnet-4-5';

export async function startFakeAnthropic(options: { account?: string; now?: () => Date } = {}): Promise<FakeAnthropic> {
  const account = options.account ?? 'a';
  let open = 0;
  let accepted = 0;
  const server = createServer((request, response) => {
    open++;
    response.once('close', () => open--);
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.on('connection', () => accepted++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fake: FakeAnthropic = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key: 'sk-ant-fake',
    requests: [],
    faults: [],
    recording: null,
    batches: createFakeBatches({ answer: answerAlone, now: options.now ?? (() => new Date()) }),
    running: () => open,
    accepted: () => accepted,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const body = text === '' ? {} : (JSON.parse(text) as Json);
    const path = request.url!;
    fake.requests.push({ method: request.method!, path, headers: request.headers, text, body });
    const fault = faultOf(fake.faults.shift() ?? null);
    if (fault.answer !== null) return fault.answer(response);
    const refused = checkRequest({ path, headers: request.headers, body, key: fake.key, account });
    if (refused !== null) return send(response, refused.status, refused.body);
    if (path.startsWith('/v1/models')) return send(response, 200, modelList(new URL(path, fake.url).searchParams));
    const batched = fake.batches.handle({
      method: request.method!,
      url: new URL(path, fake.url),
      headers: request.headers,
      body,
    });
    if (batched !== null && fake.batches.swallows && request.method === 'POST') {
      fake.batches.swallows = false;
      return;
    }
    if (batched !== null) return send(response, batched.status, batched.body);
    if (path === '/v1/messages/count_tokens') return send(response, 200, { input_tokens: answerTo(body).promptTokens });
    if (path !== '/v1/messages') return send(response, 404, refusal('not_found_error', 'Not found').body);
    const events = fake.recording === null ? wordEvents(body, account) : parseRecording(fake.recording);
    if (body['stream'] !== true) return send(response, 200, joined(events));
    response.writeHead(200, { ...answerHeaders, 'content-type': 'text/event-stream; charset=utf-8' });
    await fault.write(response, sseOf(events));
  }

  function answerAlone(body: Json, headers: IncomingHttpHeaders) {
    const refused = checkRequest({ path: '/v1/messages', headers, body, key: fake.key, account });
    return refused ?? { status: 200, body: joined(wordEvents(body, account)) };
  }

  return fake;
}

const answerHeaders = {
  'request-id': 'req_011CfakeFakeFake',
  'anthropic-organization-id': 'org-fake',
  'anthropic-ratelimit-requests-remaining': '49',
  'set-cookie': 'secret=1',
};

function send(response: ServerResponse, status: number, body: Json | string): void {
  const [type, text] =
    typeof body === 'string' ? ['application/x-jsonl', body] : ['application/json', JSON.stringify(body)];
  response.writeHead(status, { ...answerHeaders, 'content-type': type }).end(text);
}

function modelList(query: URLSearchParams): Json {
  const all = [fakeModel, 'claude-opus-5-5', 'claude-next-1'].map((id) => ({
    type: 'model',
    id,
    display_name: `The model ${id}`,
    created_at: '2025-09-29T00:00:00Z',
    max_input_tokens: 200_000,
    max_tokens: 64_000,
    capabilities: null,
  }));
  const after = query.get('after_id');
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  // A page of two, so that there is a second one.
  const data = all.slice(from, from + Math.min(2, Number(query.get('limit') ?? 20)));
  return {
    data,
    has_more: from + data.length < all.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

function answerTo(body: Json) {
  const tools = (body['tools'] ?? []) as { name: string; input_schema: unknown }[];
  const choice = body['tool_choice'] as { type: string; name?: string } | undefined;
  const forced = choice?.type === 'tool' ? tools.find(({ name }) => name === choice.name) : tools[0];
  const isForced = choice?.type === 'tool' || choice?.type === 'any';
  const { max_tokens: maxTokens, stop_sequences: stop } = body as { max_tokens?: number; stop_sequences?: string[] };
  const type = (body['thinking'] as { type?: string } | undefined)?.type;
  return answerInWords({
    prompt: JSON.stringify([body['system'] ?? null, body['messages'], tools]),
    maxTokens: maxTokens ?? 1,
    stop: stop ?? [],
    tool: isForced && forced ? { name: forced.name, schema: forced.input_schema } : null,
    thinks: type === 'enabled' || type === 'adaptive',
  });
}

/** The events of an answer as the API sends them. */
function wordEvents(body: Json, account: string): Json[] {
  const answer = answerTo(body);
  const input = {
    input_tokens: answer.promptTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  const usage = {
    ...input,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: 1,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    speed: null,
    inference_geo: 'not_available',
  };
  const events: Json[] = [
    {
      type: 'message_start',
      message: {
        id: 'msg_01Fake',
        type: 'message',
        role: 'assistant',
        model: body['model'],
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        container: null,
        diagnostics: null,
        usage,
      },
    },
    { type: 'ping' },
  ];
  let index = 0;
  const block = (content_block: Json, deltas: Json[]) => {
    events.push({ type: 'content_block_start', index, content_block });
    events.push(...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })));
    events.push({ type: 'content_block_stop', index });
    index++;
  };
  if (answer.thought.length > 0) {
    const thinking = answer.thought.join('');
    block({ type: 'thinking', thinking: '', signature: '' }, [
      ...answer.thought.map((piece) => ({ type: 'thinking_delta', thinking: piece })),
      { type: 'signature_delta', signature: fakeSignature(account, thinking) },
    ]);
  }
  if (answer.text.length > 0) {
    block(
      { type: 'text', text: '', citations: null },
      answer.text.map((text) => ({ type: 'text_delta', text })),
    );
  }
  if (answer.call !== null) {
    const { name } = answer.call;
    const input_json = JSON.stringify(answer.call.arguments);
    block({ type: 'tool_use', id: 'toolu_01Fake', name, input: {}, caller: { type: 'direct' } }, [
      { type: 'input_json_delta', partial_json: '' },
      { type: 'input_json_delta', partial_json: input_json.slice(0, 4) },
      { type: 'input_json_delta', partial_json: input_json.slice(4) },
    ]);
  }
  const reasons = { end: 'end_turn', length: 'max_tokens', stop_sequence: 'stop_sequence', tool: 'tool_use' };
  events.push({
    type: 'message_delta',
    delta: {
      stop_reason: reasons[answer.reason],
      stop_sequence: answer.stopSequence,
      stop_details: null,
      container: null,
    },
    usage: {
      ...input,
      output_tokens: answer.outputTokens,
      output_tokens_details: { thinking_tokens: answer.thought.length },
      server_tool_use: null,
    },
  });
  events.push({ type: 'message_stop' });
  return events;
}

export function sseOf(events: readonly Json[]): string {
  return events.map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

function parseRecording(text: string): Json[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Json);
}

/** The message that a stream of these events is, written by hand for what the fake sends. */
function joined(events: readonly Json[]): Json {
  // biome-ignore lint/suspicious/noExplicitAny: events of the fake's own making
  const all = events as any[];
  const message = structuredClone(all[0].message);
  const inputs: string[] = [];
  for (const event of all) {
    const block = message.content[event.index];
    if (event.type === 'content_block_start') message.content.push(structuredClone(event.content_block));
    else if (event.type === 'content_block_delta') {
      const { delta } = event;
      if (delta.type === 'text_delta') block.text += delta.text;
      else if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
      else if (delta.type === 'signature_delta') block.signature = delta.signature;
      else if (delta.type === 'citations_delta') block.citations = [...(block.citations ?? []), delta.citation];
      else if (delta.type === 'input_json_delta')
        inputs[event.index] = (inputs[event.index] ?? '') + delta.partial_json;
    } else if (event.type === 'content_block_stop') {
      if (inputs[event.index]) block.input = JSON.parse(inputs[event.index]!);
    } else if (event.type === 'message_delta') {
      Object.assign(message, event.delta);
      for (const [key, value] of Object.entries(event.usage)) if (value !== null) message.usage[key] = value;
    }
  }
  return message;
}
