import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tables } from '../../src/storage/storage.ts';
import { type Books, booksOf } from '../support/books.ts';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { type GatewayServer, startGateway } from '../support/gateway-server.ts';

/** A token of the prompt costs 3 millionths of a USD, one of the answer 15. */
const pricing = { input_per_million: 3, output_per_million: 15, regional_factor: 1 };
let clouds: Clouds;
let server: GatewayServer;
let books: Books;
beforeEach(async () => {
  clouds = await startClouds();
});
afterEach(async () => {
  await books.close();
  await clouds.close();
  await server.close();
});

async function serve(changes: { daily?: number; pricing?: object } = {}): Promise<void> {
  const priced = (provider: Record<string, unknown>) => ({
    ...provider,
    models: (provider['models'] as { id: string }[]).map((model) => ({
      ...model,
      pricing: changes.pricing ?? pricing,
    })),
  });
  const { openai, claude, aws } = clouds.providers;
  server = await startGateway({
    budgets: { daily: changes.daily ?? 10 },
    providers: { openai: priced(openai), claude: priced(claude), aws: priced(aws) },
  });
  books = await booksOf(server);
}

/** An answer under way, and what of it has come. */
interface Running {
  seen(): string;
  /** The client goes. */
  leave(): Promise<void>;
}

function send(url: string, body: object): Running {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const sent = httpRequest(`${server.baseUrl}${url}`, { method: 'POST', agent: false, headers });
  let seen = '';
  sent.on('error', () => {});
  sent.on('response', (response: IncomingMessage) => {
    response.on('error', () => {});
    response.on('data', (data) => {
      seen += String(data);
    });
  });
  const over = new Promise<void>((resolve) => sent.on('close', () => resolve()));
  sent.end(text);
  return {
    seen: () => seen,
    async leave() {
      sent.destroy();
      await over;
    },
  };
}

/** The one row of an answer, once it is written, with the budget as it is then. */
async function settled(): Promise<Tables['ledger']> {
  await expect.poll(async () => (await books.entries()).length).toBe(1);
  const [row] = await books.entries();
  expect(await books.reservations()).toEqual([]);
  const spent = (await books.spending()).filter(({ spent, reserved }) => spent !== row!.cost || reserved !== 0n);
  // A row that costs nothing may leave no trace in a budget.
  expect(spent).toEqual([]);
  return row!;
}

type Moment = 'before its head' | 'after its head' | 'in its text' | 'in a call of a tool' | 'after its last token';

/** Text of thirty letters, which is taken for ten tokens, and a call whose name and arguments are as long. */
const letters = 'x'.repeat(30);
const tool = { name: 'weather', half: '{"city":"Reykjavik, Ice' };

const sse = (records: readonly object[]) => records.map((record) => `data: ${JSON.stringify(record)}\n\n`).join('');
const chunk = (delta: object, finish: string | null = null) => ({
  ...{ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'toy' },
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const openAiCall = { index: 0, id: 'call_1', type: 'function', function: { name: tool.name, arguments: tool.half } };
const ofOpenAi: Record<Exclude<Moment, 'before its head'>, object[]> = {
  'after its head': [chunk({ role: 'assistant', content: '' })],
  'in its text': [chunk({ role: 'assistant', content: '' }), chunk({ content: letters })],
  'in a call of a tool': [chunk({ role: 'assistant', content: null }), chunk({ tool_calls: [openAiCall] })],
  'after its last token': [chunk({ content: letters }), chunk({}, 'stop')],
};

const message = {
  ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], stop_reason: null },
  ...{ stop_sequence: null, usage: { input_tokens: 100, output_tokens: 1 } },
};
const head = { type: 'message_start', message };
const block = (content_block: object) => ({ type: 'content_block_start', index: 0, content_block });
const delta = (more: object) => ({ type: 'content_block_delta', index: 0, delta: more });
const textBlock = [block({ type: 'text', text: '' }), delta({ type: 'text_delta', text: letters })];
const lastWords = [
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 20 } },
];
const ofAnthropic: Record<Exclude<Moment, 'before its head'>, object[]> = {
  'after its head': [head],
  'in its text': [head, ...textBlock],
  'in a call of a tool': [
    head,
    block({ type: 'tool_use', id: 'toolu_1', name: tool.name, input: {} }),
    delta({ type: 'input_json_delta', partial_json: tool.half }),
  ],
  'after its last token': [head, ...textBlock, ...lastWords],
};

type Frame = [string, object];
const converseText: Frame[] = [
  ['messageStart', { role: 'assistant' }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: letters } }],
];
const ofConverse: Record<Exclude<Moment, 'before its head'>, Frame[]> = {
  'after its head': converseText.slice(0, 1),
  'in its text': converseText,
  'in a call of a tool': [
    ['messageStart', { role: 'assistant' }],
    ['contentBlockStart', { contentBlockIndex: 0, start: { toolUse: { toolUseId: 't_1', name: tool.name } } }],
    ['contentBlockDelta', { contentBlockIndex: 0, delta: { toolUse: { input: tool.half } } }],
  ],
  'after its last token': [
    ...converseText,
    ['contentBlockStop', { contentBlockIndex: 0 }],
    ['messageStop', { stopReason: 'end_turn' }],
  ],
};

/** A way through the gateway, and how its service stops in the middle. `tellsPrompt`: its head says what the prompt took. */
interface Way {
  name: string;
  url: string;
  model: string;
  tellsPrompt: boolean;
  stop(moment: Moment): void;
}

const anthropicText = (events: readonly object[]) =>
  events.map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const stopOpenAi = (moment: Moment) => {
  if (moment === 'before its head') return clouds.openai.play({ type: 'stall', afterBytes: -1 });
  const body = sse(ofOpenAi[moment]);
  clouds.openai.play({ type: 'answer', status: 200, contentType: 'text/event-stream', body, stalls: true });
};
const stopAnthropic = (moment: Moment) => {
  if (moment === 'before its head') return void clouds.anthropic.faults.push({ type: 'stall' });
  clouds.anthropic.recording = anthropicText(ofAnthropic[moment]);
  clouds.anthropic.faults.push({ type: 'linger' });
};
const ways: Way[] = [
  {
    name: 'OpenAI as it came',
    url: '/v1/chat/completions',
    model: cloudModels.openai,
    tellsPrompt: false,
    stop: stopOpenAi,
  },
  {
    name: 'Anthropic from OpenAI',
    url: '/v1/messages',
    model: cloudModels.openai,
    tellsPrompt: false,
    stop: stopOpenAi,
  },
  {
    name: 'Anthropic as it came',
    url: '/v1/messages',
    model: cloudModels.claude,
    tellsPrompt: true,
    stop: stopAnthropic,
  },
  {
    name: 'OpenAI from Anthropic',
    url: '/v1/chat/completions',
    model: cloudModels.claude,
    tellsPrompt: true,
    stop: stopAnthropic,
  },
  {
    ...{ name: 'Converse', url: '/v1/chat/completions', model: cloudModels.nova, tellsPrompt: false },
    stop(moment) {
      if (moment === 'before its head') return void clouds.bedrock.script.push({ type: 'silence' });
      clouds.bedrock.script.push({ type: 'events', events: ofConverse[moment] as never, stalls: true });
    },
  },
  {
    ...{
      name: "Bedrock's Claude as it came",
      url: '/v1/messages',
      model: cloudModels.bedrockClaude,
      tellsPrompt: true,
    },
    stop(moment) {
      if (moment === 'before its head') return void clouds.bedrock.script.push({ type: 'silence' });
      clouds.bedrock.script.push({ type: 'events', events: ofAnthropic[moment] as never, stalls: true });
    },
  },
];
const moments: Moment[] = [
  'before its head',
  'after its head',
  'in its text',
  'in a call of a tool',
  'after its last token',
];

describe.each(ways)('an answer whose client goes: $name', (way) => {
  it.each(moments)('is billed for its prompt and what was generated, cut %s', async (moment) => {
    await serve();
    way.stop(moment);
    const answer = send(way.url, {
      ...{ model: way.model, max_tokens: 100, stream: true },
      messages: [{ role: 'user', content: 'What is the weather in Reykjavik?' }],
      tools:
        way.url === '/v1/messages'
          ? [{ name: tool.name, input_schema: { type: 'object' } }]
          : [{ type: 'function', function: { name: tool.name, parameters: { type: 'object' } } }],
    });
    await expect.poll(clouds.running).toBe(1);
    const isSilent = moment === 'before its head' || moment === 'after its head';
    const word = moment === 'in a call of a tool' ? 'Reykjavik' : letters;
    if (isSilent) for (let turn = 0; turn < 300; turn++) await nextTurn();
    else await expect.poll(answer.seen).toContain(word);
    await answer.leave();
    // The service is left at once, too.
    await expect.poll(clouds.running).toBe(0);

    const row = await settled();
    expect(row).toMatchObject({ outcome: 'cancelled', is_estimated: 1n });
    const isTold = way.tellsPrompt && moment !== 'before its head';
    if (isTold) expect(row.input_tokens).toBe(100n);
    else expect(row.input_tokens).toBeGreaterThan(20n);
    // A head of Claude has a first token in it already.
    const output = isSilent ? (isTold ? 1n : 0n) : 10n;
    expect(row.output_tokens ?? 0n).toBe(output);
    expect(row.cost).toBe((row.input_tokens! * 3n + output * 15n) * 1_000n);
  });

  it('costs nothing where its service broke off, and what it was to cost is free again', async () => {
    await serve();
    if (way.model === cloudModels.openai) clouds.openai.play({ type: 'cut', afterBytes: 700 });
    else if (way.model === cloudModels.claude) {
      clouds.anthropic.faults.push({ type: 'cut', afterBytes: 1_100, how: 'reset' });
    } else clouds.bedrock.script.push({ type: 'exception', name: 'internalServerException', afterFrames: 4 });
    const messages = [{ role: 'user', content: 'Say something.' }];
    const answer = send(way.url, { model: way.model, max_tokens: 40, stream: true, messages });
    const row = await settled();
    expect(row).toMatchObject({ outcome: 'failed', cost: 0n });
    expect(answer.seen()).not.toBe('');
    await answer.leave();
  });
});

describe('a budget for a hundred', () => {
  it.each(['/v1/chat/completions', '/v1/messages'])(
    'lets a hundred of a thousand requests through that come at once, and holds nothing at the end: %s',
    async (url) => {
      // Only the answer costs, and takes all that may be taken for it: a thousandth of a USD.
      await serve({ daily: 0.1, pricing: { input_per_million: 0, output_per_million: 10 } });
      const usage = { prompt_tokens: 5, completion_tokens: 100, total_tokens: 105 };
      const body = JSON.stringify({
        ...{ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'toy', usage },
        choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
      });
      clouds.openai.play(...Array.from({ length: 1_000 }, () => ({ type: 'answer', status: 200, body }) as const));
      const messages = [{ role: 'user', content: 'Hi' }];
      const ask = async () => {
        const response = await fetch(`${server.baseUrl}${url}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: cloudModels.openai, max_tokens: 100, messages }),
        });
        await response.text();
        return response.status;
      };
      const statuses = await Promise.all(Array.from({ length: 1_000 }, ask));
      const counts = Object.fromEntries(
        [...Map.groupBy(statuses, (status) => status)].map(([status, all]) => [status, all.length]),
      );
      expect(counts).toEqual({ 200: 100, 402: 900 });
      expect(clouds.arrived()).toBe(100);
      await expect.poll(async () => (await books.entries()).length).toBe(100);
      expect(await books.reservations()).toEqual([]);
      for (const { spent, reserved } of await books.spending()) expect([spent, reserved]).toEqual([100_000_000n, 0n]);
    },
  );
});
