import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatInput, OutputFormat, Sampling, ToolChoice } from '../../src/core/chat.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import { tools } from '../support/answers.ts';
import { metric, postJson } from '../support/client.ts';
import type { GuessingInput, GuessingOutput } from '../support/guessing-loop.ts';
import { builtInModel, builtInModels } from '../support/models.ts';
import { type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

interface Wish {
  content: string;
  format?: OutputFormat;
  toolChoice?: ToolChoice;
  sampling?: Sampling;
  stop?: string[];
}

/** A greedy request as the worker gets it; with a tool choice it offers the tools. */
function request({ content, format, toolChoice, sampling, stop }: Wish): WorkerRequest {
  const input: ChatInput = {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: content }] }],
    tools: toolChoice ? tools.map((tool) => tool.function) : [],
    toolChoice: toolChoice ?? { type: 'none' },
  };
  return {
    model: 'm',
    input,
    sampling: sampling ?? { temperature: 0 },
    format: format ?? { type: 'text' },
    topLogprobs: null,
    maxTokens: 160,
    stop: stop ?? [],
    owner: null,
    promptCache: 'keep',
  };
}

const lines = Array.from({ length: 8 }, () => 'the lamp in the hall is on and the lamp in the bath is off').join('\n');
// What the built-in model knows of: elsewhere its two best tokens may be so close that rounding decides between them.
const light = {
  type: 'object',
  properties: {
    room_name: { enum: ['kitchen', 'bath', 'attic'] },
    state_of_the_light: { enum: ['on', 'off'] },
    switched_by: { const: 'hearth' },
  },
  required: ['room_name', 'state_of_the_light', 'switched_by'],
  additionalProperties: false,
};
const lights = { type: 'array', items: light, minItems: 2, maxItems: 2 };
const format: OutputFormat = {
  type: 'json-schema',
  schema: { type: 'object', properties: { lights }, required: ['lights'] },
};

/** By what is repeated in them; each later one finds earlier answers to the same template. */
const tasks: Record<string, Wish[]> = {
  'a text to copy': [{ content: `Repeat: ${lines}` }, { content: `Say it again, word for word: ${lines}` }],
  'answers to one schema': [
    { content: 'Switch the light in the kitchen off.', format },
    { content: 'Switch the light in the attic on.', format },
  ],
  'any JSON': [
    { content: 'Give me JSON about a lamp.', format: { type: 'json' } },
    { content: 'Give me JSON about a bath.', format: { type: 'json' } },
  ],
  // Guesses go on behind the call, where its grammar ends, and into the next one.
  'repeated tool calls': ['Berlin', 'Rome', 'Oslo'].map((city) => ({
    content: `What is the weather in ${city}?`,
    toolChoice: { type: 'auto' },
  })),
  'tool calls held back by a stop string': ['Berlin', 'Rome'].map((city) => ({
    content: `What is the weather in ${city}?`,
    toolChoice: { type: 'auto' },
    stop: ['<tool_call>\n{"name": "none"', '}}</tool'],
  })),
  'tool calls that are required': ['kitchen', 'bath'].map((room) => ({
    content: `Switch the light in the ${room} off.`,
    toolChoice: { type: 'required' },
  })),
  'a named tool': ['kitchen', 'attic'].map((room) => ({
    content: `Switch the light in the ${room} on.`,
    toolChoice: { type: 'tool', name: 'set_light' },
  })),
};

/** Runs the groups in a process of their own: groups one after the other, the requests of a group at the same time. */
function run(groups: GuessingInput, slots: number, guesses: number): GuessingOutput['groups'] {
  const script = join(repositoryRoot, 'test/support/guessing-loop.ts');
  const model = join(builtInModels, `${builtInModel}-q8_0.gguf`);
  const ended = spawnSync(process.execPath, [script, model, String(slots), String(guesses)], {
    input: JSON.stringify(groups),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  expect([ended.status, ended.stderr]).toEqual([0, expect.any(String)]);
  return (JSON.parse(ended.stdout) as GuessingOutput).groups;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

describe('an engine that guesses in every step', () => {
  const all = Object.values(tasks).flat();
  const groups = all.map((wish) => [request(wish)]);
  let plain: GuessingOutput['groups'];
  beforeAll(() => {
    plain = run(groups, 1, 0);
  });

  it('makes no guess when it may make none', () => {
    expect(sum(plain.map(({ proposed }) => proposed))).toBe(0);
  });

  it.each([1, 3, 8])('writes the same texts with up to %i guesses, in fewer steps', (guesses) => {
    const guessed = run(groups, 1, guesses);
    expect(guessed.map(({ answers }) => answers)).toEqual(plain.map(({ answers }) => answers));
    let at = 0;
    for (const [task, wishes] of Object.entries(tasks)) {
      const [here, before] = [guessed, plain].map((runs) => runs.slice(at, at + wishes.length));
      at += wishes.length;
      const [accepted, proposed] = [sum(here!.map((one) => one.accepted)), sum(here!.map((one) => one.proposed))];
      expect([task, accepted > 0, accepted <= proposed]).toEqual([task, true, true]);
      // Every accepted guess is a step less.
      expect([task, sum(here!.map(({ steps }) => steps))]).toEqual([
        task,
        sum(before!.map(({ steps }) => steps)) - accepted,
      ]);
    }
  });

  it('writes the same texts with two slots at work', () => {
    const pairs = all.map((wish, index) => [request(wish), request(all[(index + 3) % all.length]!)]);
    const guessed = run(pairs, 2, 4);
    const texts = plain.map(({ answers }) => answers[0]);
    expect(guessed.map(({ answers }) => answers)).toEqual(
      texts.map((text, index) => [text, texts[(index + 3) % all.length]]),
    );
    expect(sum(guessed.map(({ accepted }) => accepted))).toBeGreaterThan(50);
  });

  it('makes none in runs with a seed, whose texts stay the same', () => {
    const seeded = [
      { content: `Repeat: ${lines}`, sampling: { temperature: 0.9, seed: 7 } },
      { content: 'Switch the light in the bath on.', format, sampling: { temperature: 0.9, seed: 7 } },
    ];
    const requests = seeded.map((wish) => [request(wish)]);
    const [guessed, cold] = [run(requests, 1, 8), run(requests, 1, 0)];
    expect(guessed).toEqual(cold);
    expect(sum(guessed.map(({ proposed }) => proposed))).toBe(0);
  });

  it('ends where the context is full, as it does without guesses', () => {
    // Nothing but this text may follow, so every guess is right and the last of them would reach beyond the end.
    const names = { type: 'array', minItems: 900, items: { const: 'kitchen lamp on the table' } };
    const endless: Wish = {
      content: 'Give me JSON about lamps.',
      format: { type: 'json-schema', schema: { type: 'object', properties: { names }, required: ['names'] } },
    };
    const requests = [[{ ...request(endless), maxTokens: null }]];
    const [guessed, one] = [run(requests, 1, 8), run(requests, 1, 0)];
    expect(guessed[0]!.answers).toEqual(one[0]!.answers);
    const { reason, tokens } = JSON.parse(guessed[0]!.answers[0]!) as { reason: string; tokens: [number, number] };
    expect(reason).toBe('context_full');
    expect(sum(tokens)).toBeLessThanOrEqual(1_024);
    expect(guessed[0]!.accepted).toBeGreaterThan(0);
  });

  it('keeps a sampled answer to its schema', () => {
    const sampled: Wish = { content: 'Switch the light in the bath on.', format, sampling: { temperature: 1 } };
    const guessed = run([[request(sampled)], [request(sampled)]], 1, 4);
    for (const { answers } of guessed) {
      const { text, reason } = JSON.parse(answers[0]!) as { text: string; reason: string };
      expect(reason).toBe('stop');
      const names = { room_name: expect.any(String), switched_by: 'hearth' };
      expect(JSON.parse(text)).toMatchObject({ lights: [names, names] });
    }
    expect(sum(guessed.map(({ accepted }) => accepted))).toBeGreaterThan(0);
  });
});

describe('HEARTH_DRAFTS', () => {
  let servers: RunningServer[] = [];
  beforeAll(async () => {
    servers = await Promise.all(['auto', 'off'].map((drafts) => startServer({ env: { HEARTH_DRAFTS: drafts } })));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  it('guesses by default and not when off, counts the guesses, and changes no text', async () => {
    const body = {
      model: 'default',
      temperature: 0,
      messages: [{ role: 'user', content: 'Switch the light in the bath on.' }],
      response_format: { type: 'json_schema', json_schema: { name: 'light', strict: true, schema: light } },
    };
    const texts = await Promise.all(
      servers.map(async ({ baseUrl }) => {
        const { body: reply } = await postJson(`${baseUrl}/v1/chat/completions`, body);
        return (reply as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
      }),
    );
    expect(texts[0]).toBe(texts[1]);
    expect(light.required).toEqual(Object.keys(JSON.parse(texts[0]!) as object));
    const [auto, off] = await Promise.all(
      servers.map(({ baseUrl }) =>
        Promise.all(
          ['accepted', 'rejected'].map((result) =>
            metric(baseUrl, `hearth_engine_draft_tokens_total{model="${builtInModel}",result="${result}"}`),
          ),
        ),
      ),
    );
    expect(auto![0]).toBeGreaterThan(0);
    expect(off).toEqual([0, 0]);
  });
});
