import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accumulate } from '../http/anthropic/accumulate.ts';
import { accumulateResponse } from '../http/openai/responses/accumulate.ts';
import {
  type ClaudeMessage,
  claudeCount,
  claudeHeaders,
  claudeProbe,
  claudeQuestion,
  claudeReminder,
  claudeResult,
  claudeTitle,
  claudeTurn,
} from '../support/agent-sessions/claude-code.ts';
import { codexHeaders, codexMessage, codexPreamble, codexTools, codexTurn } from '../support/agent-sessions/codex.ts';
import { answers } from '../support/answers.ts';
import { eventually, metric, statusOfUpgrade } from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

// Whole sessions of coding agents with the real worker. What the model says is taken into the conversation as it came.
let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ env: { HEARTH_API_KEY: 'local' } });
});
afterAll(async () => {
  await server?.stop();
});

const send = (
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer | string,
  signal?: AbortSignal,
) =>
  fetch(`${server.baseUrl}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
  });
const cancelled = () =>
  metric(server.baseUrl, `hearth_requests_total{model="${builtInModel}",outcome="cancelled"}`, codexHeaders);

describe('a session of Claude Code', () => {
  interface Message {
    content: { type: string; id?: string; name?: string; input?: object; text?: string }[];
    stop_reason: string;
    usage: { input_tokens: number; cache_read_input_tokens: number; output_tokens: number };
  }
  const post = (body: object, path = '', signal?: AbortSignal) =>
    send('POST', `/v1/messages${path}?beta=true`, claudeHeaders, JSON.stringify(body), signal);
  /** Keys that a message always has (the SDK's type), and that of the context edits which were asked for. */
  const messageKeys = [
    'container',
    'content',
    'diagnostics',
    'id',
    'model',
    'role',
    'stop_details',
    'stop_reason',
    'stop_sequence',
    'type',
    'usage',
  ];
  const usageKeys = [
    'cache_creation',
    'cache_creation_input_tokens',
    'cache_read_input_tokens',
    'inference_geo',
    'input_tokens',
    'output_tokens',
    'output_tokens_details',
    'server_tool_use',
    'service_tier',
    'speed',
  ];

  function checked(message: Message, extra: string[] = []): Message {
    expect(Object.keys(message).sort()).toEqual([...messageKeys, ...extra].sort());
    expect(Object.keys(message.usage).sort()).toEqual(usageKeys);
    expect(message).toMatchObject({ type: 'message', role: 'assistant', model: builtInModel, stop_sequence: null });
    return message;
  }
  const promptTokens = ({ usage }: Message) => usage.input_tokens + usage.cache_read_input_tokens;
  const reused = (message: Message) => message.usage.cache_read_input_tokens / promptTokens(message);

  async function stream(body: object, extra: string[] = []): Promise<Message> {
    const response = await post(body);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('request-id')).toMatch(/^req_/);
    expect(response.headers.get('x-hearth-left-out')).toBe('claude-code-attribution');
    expect(text).toMatch(/^event: message_start\n/);
    return checked(accumulate(text) as Message, extra);
  }
  const turn = (hash: string, messages: ClaudeMessage[]) => stream(claudeTurn(hash, messages), ['context_management']);

  /** An answer of seconds, so that it is not over before the user has had enough of it. */
  const endless = {
    output_config: { format: { type: 'json_schema', schema: { type: 'string', minLength: 2_000 } } },
  };

  it('begins with a probe, the models, a question of its small model and a title', async () => {
    expect((await send('HEAD', '/', claudeHeaders)).status).toBe(200);
    const models = await (await send('GET', '/v1/models?limit=1000', claudeHeaders)).json();
    expect(models).toMatchObject({ has_more: false, first_id: builtInModel, last_id: builtInModel });
    const probe = await post(claudeProbe);
    expect(probe.status).toBe(200);
    expect(checked((await probe.json()) as Message)).toMatchObject({ usage: { output_tokens: 1 } });
    const title = await stream(claudeTitle('00000', 'Read the file notes.txt.'));
    expect(title.stop_reason).toBe('end_turn');
    expect(JSON.parse(title.content[0]!.text!)).toEqual({ title: expect.any(String) });
  });

  it('works by tools, is interrupted, goes on, and reads each prompt but once', async () => {
    const messages: ClaudeMessage[] = [claudeQuestion('Read the file notes.txt.'), claudeReminder(1_500)];
    const counted = await post(claudeCount('fa690', messages), '/count_tokens');
    const first = await turn('fa690', messages);
    expect(await counted.json()).toMatchObject({ input_tokens: promptTokens(first) });
    expect(first.stop_reason).toBe('tool_use');
    const call = first.content.find(({ type }) => type === 'tool_use')!;
    expect(call).toMatchObject({
      id: expect.stringMatching(/^toolu_/),
      name: 'Read',
      input: { file_path: 'notes.txt' },
    });

    messages.push({ role: 'assistant', content: first.content }, claudeResult(call.id!, 'The lamp is in the attic.'));
    messages.push(claudeReminder(1_300));
    const second = await turn('0c1d2', messages);
    expect(reused(second)).toBeGreaterThanOrEqual(0.95);
    messages.push({ role: 'assistant', content: second.content }, claudeQuestion('What is Hearth?'));

    const before = await cancelled();
    const user = new AbortController();
    const interrupted = await post({ ...claudeTurn('3e4f5', messages), ...endless }, '', user.signal);
    await interrupted.body!.getReader().read();
    user.abort();
    await eventually(async () => (await cancelled()) === before + 1);
    messages.push({ role: 'user', content: [{ type: 'text', text: '[Request interrupted by user]' }] });
    messages.push({ role: 'user', content: [{ type: 'text', text: 'What is Hearth?' }] });
    const third = await turn('6a7b8', messages);
    expect(reused(third)).toBeGreaterThanOrEqual(0.95);
  });

  it('is told in words that it knows when its conversation is too long', async () => {
    const response = await post(claudeTurn('9c0d1', [claudeQuestion('word '.repeat(4_000))]));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringMatching(/^prompt is too long: \d+ tokens > \d+/) },
      request_id: response.headers.get('request-id'),
    });
  });
});

describe('a session of Codex', () => {
  interface Usage {
    input_tokens: number;
    input_tokens_details: { cached_tokens: number };
    output_tokens: number;
    output_tokens_details: { reasoning_tokens: number };
    total_tokens: number;
  }
  interface Turn {
    id: string;
    items: { type: string; call_id?: string; name?: string; arguments?: string; encrypted_content?: string }[];
    usage: Usage;
  }

  async function turn(input: object[]): Promise<Turn> {
    // As it sends them: compressed.
    const body = zstdCompressSync(JSON.stringify(codexTurn('default', input)));
    const response = await send('POST', '/v1/responses', { ...codexHeaders, 'content-encoding': 'zstd' }, body);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const { id, status, output: items, usage, ...rest } = accumulateResponse(text);
    expect({ status, ...rest }).toMatchObject({
      status: 'completed',
      object: 'response',
      model: builtInModel,
      error: null,
      incomplete_details: null,
      previous_response_id: null,
      store: false,
      tool_choice: 'auto',
      parallel_tool_calls: true,
    });
    expect(rest.tools.map(({ name }: { name: string }) => name)).toEqual(codexTools.map(({ name }) => name));
    expect(usage.total_tokens).toBe(usage.input_tokens + usage.output_tokens);
    return { id, items, usage };
  }
  const reused = ({ usage }: Turn) => usage.input_tokens_details.cached_tokens / usage.input_tokens;

  it('finds the models in its own form, and that there is no WebSocket', async () => {
    const list = await send('GET', '/v1/models?client_version=0.153.0', codexHeaders);
    expect(await list.json()).toMatchObject({
      data: [{ id: builtInModel }],
      models: [
        { slug: builtInModel, context_window: 2_048, apply_patch_tool_type: 'freeform', shell_type: 'shell_command' },
      ],
    });
    expect(await statusOfUpgrade(`${server.baseUrl}/v1/responses`, codexHeaders)).toBe(426);
  });

  it('works by commands and stateless turns with sealed thoughts, and reads each prompt but once', async () => {
    const history: object[] = [...codexPreamble, codexMessage('user', 'Run the command ls.')];
    const first = await turn(history);
    const [call] = first.items;
    expect(call).toMatchObject({ type: 'function_call', name: 'exec_command', status: 'completed' });
    expect(JSON.parse(call!.arguments!)).toEqual({ cmd: 'ls' });
    history.push(...first.items, { type: 'function_call_output', call_id: call!.call_id, output: 'notes.txt' });

    const second = await turn(history);
    expect(reused(second)).toBeGreaterThanOrEqual(0.95);
    history.push(...second.items, codexMessage('user', 'What is Hearth? /think'));

    const third = await turn(history);
    expect(reused(third)).toBeGreaterThanOrEqual(0.95);
    expect(third.items).toMatchObject([
      {
        type: 'reasoning',
        summary: [{ type: 'summary_text' }],
        encrypted_content: expect.stringMatching(/^hearth1\./),
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: answers['What is Hearth?'] }] },
    ]);
    expect(third.usage.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
    history.push(...third.items, codexMessage('user', 'Thanks!'));

    const fourth = await turn(history);
    expect(fourth.items).toMatchObject([{ type: 'message' }]);
    // Nothing was stored.
    expect((await send('GET', `/v1/responses/${fourth.id}`, codexHeaders)).status).toBe(404);
  });

  it('compacts the conversation and goes on from that', async () => {
    const input = [
      ...codexPreamble,
      codexMessage('user', 'What is GGUF?'),
      codexMessage('assistant', answers['What is GGUF?']),
    ];
    const { instructions } = codexTurn('default', []);
    const body = JSON.stringify({ model: 'default', instructions, input });
    const response = await send('POST', '/v1/responses/compact', codexHeaders, body);
    const compacted = (await response.json()) as { object: string; output: { type: string }[] };
    expect(response.status, JSON.stringify(compacted)).toBe(200);
    expect(compacted.output.at(-1)).toMatchObject({
      type: 'compaction',
      encrypted_content: expect.stringMatching(/^hearth1\./),
    });
    const { items } = await turn([...compacted.output, codexMessage('user', 'Thanks!')]);
    expect(items).toMatchObject([{ type: 'message' }]);
  });
});
