import { readdir, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { createHarness, type Harness } from '../http/harness.ts';
import { finishEvent, startEvent, textEvents, toolCallEvents } from '../support/fake-engine.ts';

/** Every stream of every dialect, byte by byte, as it is checked in; `vitest -u` writes what differs. */
const folder = new URL('../fixtures/transcripts/', import.meta.url);

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

type Story = () => AsyncGenerator<StreamEvent>;
const token = (text: string, logprob: number) => ({ text, bytes: [...Buffer.from(text)], logprob });
const thoughts: StreamEvent[] = [
  { type: 'reasoning-start', blockId: 0 },
  { type: 'reasoning-delta', blockId: 0, text: 'Let me ' },
  { type: 'reasoning-delta', blockId: 0, text: 'see.' },
  { type: 'reasoning-end', blockId: 0, signature: null },
];
const [textStart, ...text] = textEvents(['Hé', 'llo'], 1);

const stories = {
  /** With what comes before the text, and the log probabilities of its tokens. */
  async *text() {
    yield { type: 'progress', stage: 'loading' };
    yield startEvent();
    yield { type: 'progress', stage: 'prompt', readTokens: 3, totalTokens: 5 };
    yield textStart!;
    yield { type: 'logprobs', tokens: [{ ...token('Hé', -0.25), top: [token('Hé', -0.25), token('Ho', -1.5)] }] };
    yield* text;
    yield finishEvent(2);
  },
  async *thought() {
    yield startEvent();
    yield* thoughts;
    yield* textEvents(['So.'], 1);
    yield finishEvent(4);
  },
  async *calls() {
    yield startEvent();
    yield* textEvents(['I look.'], 0);
    yield* toolCallEvents(1, 'call_1', 'look', ['{"city":', '"Oslo"}']);
    yield* toolCallEvents(2, 'call_2', 'rest', []);
    yield finishEvent(6, 'tool_calls');
  },
  async *cut() {
    yield startEvent();
    yield* textEvents(['Once'], 0);
    yield finishEvent(1, 'length');
  },
  async *failed() {
    yield startEvent();
    yield* textEvents(['Hel'], 0).slice(0, -1);
    throw new AppError('worker_crashed', 'The model stopped.', { fix: 'Send it again.', retryAfterSeconds: 2 });
  },
} satisfies Record<string, Story>;
type StoryName = keyof typeof stories;

interface Endpoint {
  url: string;
  body: object;
  headers?: Record<string, string>;
  /** The ones that it has something to say of. */
  stories: readonly StoryName[];
}

const hi = [{ role: 'user', content: 'Hi' }];
const all: readonly StoryName[] = ['text', 'thought', 'calls', 'cut', 'failed'];
const withoutCalls = all.filter((name) => name !== 'calls');
const functions = ['look', 'rest'].map((name) => ({ type: 'function', function: { name } }));
const usage = { stream_options: { include_usage: true } };

/** By the name of their files. */
const endpoints: Record<string, Endpoint> = {
  'openai-chat': {
    url: '/v1/chat/completions',
    body: { messages: hi, tools: functions, logprobs: true, top_logprobs: 1, return_progress: true, ...usage },
    stories: all,
  },
  'openai-completions': {
    url: '/v1/completions',
    body: { prompt: 'Hi', logprobs: 1, return_progress: true, ...usage },
    stories: ['text', 'cut', 'failed'],
  },
  'openai-responses': {
    url: '/v1/responses',
    body: {
      input: 'Hi',
      tools: ['look', 'rest'].map((name) => ({ type: 'function', name })),
      top_logprobs: 1,
      include: ['message.output_text.logprobs'],
    },
    stories: all,
  },
  'openai-responses-summary': {
    url: '/v1/responses',
    body: { input: 'Hi', reasoning: { summary: 'auto' }, store: false, include: ['reasoning.encrypted_content'] },
    stories: ['thought', 'failed'],
  },
  'openai-responses-custom-tool': {
    url: '/v1/responses',
    body: { input: 'Hi', tools: ['look', 'rest'].map((name) => ({ type: 'custom', name })) },
    stories: ['calls'],
  },
  'openai-responses-background': {
    url: '/v1/responses',
    body: { input: 'Hi', background: true },
    stories: ['text', 'failed'],
  },
  'anthropic-messages': {
    url: '/v1/messages',
    body: {
      model: 'tiny',
      max_tokens: 64,
      messages: hi,
      tools: ['look', 'rest'].map((name) => ({ name, input_schema: { type: 'object' } })),
    },
    stories: all,
  },
  envelope: { url: '/api/v1/messages/stream', body: { model: 'tiny', messages: hi }, stories: all },
  'ollama-chat': {
    url: '/api/chat',
    body: { model: 'tiny', messages: hi, tools: functions, logprobs: true, top_logprobs: 2 },
    stories: all,
  },
  'ollama-generate': {
    url: '/ollama/api/generate',
    body: { model: 'tiny', prompt: 'Hi', logprobs: true },
    stories: withoutCalls,
  },
  'seed-generate': {
    url: '/api/generate',
    body: { model: 'tiny', prompt: 'Hi', max_tokens: 100 },
    stories: withoutCalls,
  },
  'native-generate': { url: '/generate/stream', body: { prompt: 'Hi' }, stories: withoutCalls },
  'native-generate-at-api': { url: '/api/v1/generate/stream', body: { prompt: 'Hi' }, stories: withoutCalls },
  'native-chat': { url: '/api/v1/chat', body: { messages: hi }, stories: withoutCalls },
};

/** Ids and seals are new in every answer: their letters say nothing. */
function withoutChance(transcript: string): string {
  return transcript
    .replace(/([a-z]+[_-])(?:[0-9a-f]{32}|[0-9a-f]{24})/g, '$1#')
    .replace(/hearth1\.[\w.-]+/g, 'hearth1.#');
}

const cases = Object.entries(endpoints).flatMap(([name, endpoint]) =>
  endpoint.stories.map((story) => ({ file: `${name}/${story}.txt`, story, ...endpoint })),
);

describe('the transcript', () => {
  it.each(cases)('$file', async ({ file, story, url, body, headers = {} }) => {
    harness.gateway.play(stories[story]);
    const id = { 'x-request-id': 'req_1' };
    const response = await harness.send('POST', url, { ...body, stream: true }, { ...id, ...headers });
    expect(response.statusCode, response.body).toBe(200);
    const transcript = `${response.headers['content-type']}\n\n${withoutChance(response.body)}`;
    await expect(transcript).toMatchFileSnapshot(new URL(file, folder).pathname);
  });

  it('is there for no endpoint that has none', async () => {
    const kept = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.txt'));
    expect(kept.sort()).toEqual(cases.map(({ file }) => file).sort());
  });

  it('of responses has every event that their document names', async () => {
    const document = await readFile(new URL('../../docs/dialect-responses.md', import.meta.url), 'utf8');
    const section = document.split('\n## ').find((part) => part.startsWith('Events'))!;
    let before = '';
    const named = [...section.matchAll(/`(response\.[a-z_.]+|\.done)`/g)].map(([, name]) => {
      before = name === '.done' ? before.replace(/\.[a-z]+$/, '.done') : name!;
      return before;
    });
    const texts = await Promise.all(
      cases.filter(({ url }) => url === '/v1/responses').map(({ file }) => readFile(new URL(file, folder), 'utf8')),
    );
    const told = texts.flatMap((text) => [...text.matchAll(/^event: (.+)$/gm)].map(([, name]) => name!));
    expect(new Set(told)).toEqual(new Set(named));
  });
});
