import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProviderPreset } from '../../../src/config/providers.ts';
import { parseArguments, reasoningOf, textOf, toolCallsOf } from '../../../src/core/content.ts';
import { type BlockEvent, foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { createCompletionReader } from '../../../src/providers/openai-compatible/from-wire.ts';
import { services } from '../../../src/providers/openai-compatible/presets.ts';
import { createCallSignatures } from '../../../src/providers/openai-compatible/signatures.ts';

interface Options {
  preset?: ProviderPreset;
  choices?: number;
  hasDone?: boolean;
}

/** What is understood of the records of a stream. */
function eventsOf(
  records: readonly object[],
  { preset = 'openai', choices = 1, hasDone = true }: Options = {},
): StreamEvent[] {
  const reader = createCompletionReader({
    provider: 'cloud',
    isConfigured: true,
    row: services[preset],
    model: 'asked',
    choices,
    warnings: [],
    signatures: createCallSignatures(),
  });
  return [...records.flatMap((record) => reader.read(record)), ...reader.end(hasDone)];
}

async function answerOf(records: readonly object[], options: Options = {}) {
  async function* all() {
    yield* eventsOf(records, options);
  }
  return foldEvents(all(), 'cloud');
}

const chunk = (delta: object, rest: object = {}) => ({
  id: 'r',
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null, ...rest }],
});
const end = (reason: string, rest: object = {}) => chunk({}, { finish_reason: reason, ...rest });
const call = (...pieces: object[]) => chunk({ tool_calls: pieces });
const named = (index: number, id: string, name: string, text = '') => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: text },
});
const piece = (index: number, text: string) => ({ index, function: { arguments: text } });

const callsIn = async (records: readonly object[], options: Options = {}) => {
  const { choices } = await answerOf(records, options);
  return toolCallsOf(choices[0].blocks).map(({ id, name, arguments: args }) => ({ id, name, args }));
};

describe('tool calls of a stream', () => {
  const both = [
    { id: 'a', name: 'f', args: { x: 1 } },
    { id: 'b', name: 'g', args: { y: 2 } },
  ];
  it.each<[string, object[]]>([
    [
      'in many pieces',
      [
        call(named(0, 'a', 'f')),
        call(piece(0, '{"x"')),
        call(piece(0, ':1}')),
        call(named(1, 'b', 'g')),
        call(piece(1, '{"y":2}')),
      ],
    ],
    ['each in one piece', [call(named(0, 'a', 'f', '{"x":1}')), call(named(1, 'b', 'g', '{"y":2}'))]],
    ['all in one record', [call(named(0, 'a', 'f', '{"x":1}'), named(1, 'b', 'g', '{"y":2}'))]],
    [
      'only with the end',
      [
        {
          choices: [
            {
              index: 0,
              delta: { tool_calls: [named(0, 'a', 'f', '{"x":1}'), named(1, 'b', 'g', '{"y":2}')] },
              finish_reason: 'tool_calls',
            },
          ],
        },
      ],
    ],
    [
      'mixed piece by piece',
      [
        call(named(0, 'a', 'f'), named(1, 'b', 'g')),
        call(piece(0, '{"x"'), piece(1, '{"y')),
        call(piece(1, '":2}')),
        call(piece(0, ':1}')),
      ],
    ],
    ['numbered 0, all of them', [call(named(0, 'a', 'f', '{"x":1}')), call(named(0, 'b', 'g', '{"y":2}'))]],
    [
      'without numbers',
      [
        call({ id: 'a', function: { name: 'f', arguments: '{"x":1}' } }),
        call({ id: 'b', function: { name: 'g', arguments: '{"y"' } }),
        call({ function: { arguments: ':2}' } }),
      ],
    ],
    [
      'with id and name in each piece',
      [call(named(0, 'a', 'f', '{"x"')), call(named(0, 'a', 'f', ':1}')), call(named(1, 'b', 'g', '{"y":2}'))],
    ],
    [
      'with objects for arguments',
      [
        call({ index: 0, id: 'a', function: { name: 'f', arguments: { x: 1 } } }),
        call({ index: 1, id: 'b', function: { name: 'g', arguments: { y: 2 } } }),
      ],
    ],
  ])('are the same calls %s', async (_how, records) => {
    expect(await callsIn([...records, end('tool_calls')])).toEqual(both);
  });

  it('have an id where the service gave none, and no two the same', async () => {
    const calls = await callsIn([
      call(
        { index: 0, function: { name: 'f', arguments: '{}' } },
        { index: 1, function: { name: 'f', arguments: '{}' } },
      ),
      end('tool_calls'),
    ]);
    expect(calls.map(({ name }) => name)).toEqual(['f', 'f']);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    expect(calls.every(({ id }) => id.length > 8)).toBe(true);
  });

  it('without arguments have an empty object, also where another comes behind', async () => {
    expect(await callsIn([call(named(0, 'a', 'f')), call(named(1, 'b', 'g', '{"y":2}')), end('tool_calls')])).toEqual([
      { ...both[0], args: {} },
      both[1],
    ]);
  });

  it('are told in the older form too', async () => {
    const records = [
      chunk({ function_call: { name: 'f', arguments: '{"x"' } }),
      chunk({ function_call: { arguments: ':1}' } }),
      end('function_call'),
    ];
    expect(await callsIn(records)).toEqual([{ ...both[0], id: expect.stringMatching(/^call_/) }]);
  });

  it('end an answer as such, whatever word the service has for it', async () => {
    const { choices } = await answerOf([call(named(0, 'a', 'f', '{}')), end('stop')]);
    expect(choices[0]).toMatchObject({ reason: 'tool_calls', rawReason: 'stop' });
  });

  it('are an error where a piece belongs to none', () => {
    expect(() => eventsOf([call(piece(3, '{"x":1}')), end('tool_calls')])).toThrow(/has not begun/);
  });

  it('and text, mixed in any way, are blocks one after the other with valid arguments', async () => {
    const parts = fc.array(
      fc.oneof(
        fc.record({ text: fc.string({ minLength: 1, maxLength: 5 }) }),
        fc.record({ index: fc.nat(2), length: fc.integer({ min: 1, max: 4 }) }),
      ),
      { maxLength: 30 },
    );
    const values = fc.tuple(fc.jsonValue(), fc.jsonValue(), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(parts, values, async (order, given) => {
        const texts = given.map((value) => JSON.stringify({ value }));
        const sent = texts.map(() => 0);
        const records: object[] = [];
        for (const part of order) {
          if ('text' in part) records.push(chunk({ content: part.text }));
          else records.push(callPiece(part.index, part.length));
        }
        for (const index of texts.keys()) if (sent[index]! > 0) records.push(callPiece(index, texts[index]!.length));
        function callPiece(index: number, length: number): object {
          const at = sent[index]!;
          sent[index] = at + length;
          const text = texts[index]!.slice(at, at + length);
          return at === 0 ? call(named(index, `id${index}`, `f${index}`, text)) : call(piece(index, text));
        }
        const events = eventsOf([...records, end('stop')]);
        expectOneOpenBlock(events);
        async function* all() {
          yield* events;
        }
        const { choices } = await foldEvents(all(), 'cloud');
        expect(textOf(choices[0].blocks)).toBe(order.map((part) => ('text' in part ? part.text : '')).join(''));
        for (const made of toolCallsOf(choices[0].blocks)) {
          expect(made.arguments).toEqual(parseArguments(texts[Number(made.name.slice(1))]!));
        }
        expect(toolCallsOf(choices[0].blocks)).toHaveLength(sent.filter((count) => count > 0).length);
      }),
    );
  });
});

/** One block of a choice is open at a time, and each is ended. */
function expectOneOpenBlock(events: readonly StreamEvent[]): void {
  let open: number | null = null;
  for (const event of events.filter((one): one is BlockEvent => 'blockId' in one)) {
    if (event.type.endsWith('-start')) {
      expect(open).toBeNull();
      open = event.blockId;
    } else {
      expect(event.blockId).toBe(open);
      if (event.type.endsWith('-end')) open = null;
    }
  }
  expect(open).toBeNull();
}

describe('reasoning', () => {
  it.each<[string, object[]]>([
    ['reasoning_content', [chunk({ reasoning_content: 'I ' }), chunk({ reasoning_content: 'think' })]],
    ['reasoning', [chunk({ reasoning: 'I ' }), chunk({ reasoning: 'think' })]],
    ['both names with the same text', [chunk({ reasoning: 'I think', reasoning_content: 'I think' })]],
    [
      'marked content between tags',
      [
        chunk({ content: '<thought>I ', extra_content: { google: { thought: true } } }),
        chunk({ content: 'think</thought>', extra_content: { google: { thought: true } } }),
      ],
    ],
  ])('is a block of its own where it comes as %s', async (_how, records) => {
    const { choices } = await answerOf([...records, chunk({ content: 'Hi' }), end('stop')]);
    expect(reasoningOf(choices[0].blocks)).toBe('I think');
    expect(choices[0].blocks.map(({ type }) => type)).toEqual(['reasoning', 'text']);
    expect(choices[0].blocks[0]).toMatchObject({ origin: { provider: 'cloud', model: 'm' }, signature: null });
  });
});

describe('the end of an answer', () => {
  it.each([
    ['stop', 'stop'],
    ['eos', 'stop'],
    ['length', 'length'],
    ['MAX_TOKENS', 'length'],
    ['content_filter', 'content_filter'],
    ['content_filter: hate', 'content_filter'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['something_new', 'stop'],
  ])('is known by the word "%s" as "%s"', async (raw, reason) => {
    const { choices } = await answerOf([chunk({ content: 'Hi' }), end(raw)]);
    expect(choices[0]).toMatchObject({ reason, rawReason: raw });
  });

  it('names the stop string where the service does', async () => {
    const { choices } = await answerOf([chunk({ content: 'Hi' }), end('stop', { stop_reason: 'END' })]);
    expect(choices[0]).toMatchObject({ reason: 'stop_sequence', stopSequence: 'END' });
  });

  it('is a refusal where the model would not, with its words as text', async () => {
    const { choices } = await answerOf([chunk({ refusal: 'I will ' }), chunk({ refusal: 'not.' }), end('stop')]);
    expect(choices[0].reason).toBe('refusal');
    expect(textOf(choices[0].blocks)).toBe('I will not.');
  });

  it.each(['insufficient_system_resource', 'error', 'abort'])(
    'is a failure that may fail over where the service gave up (%s)',
    (raw) => {
      expect(() => eventsOf([chunk({ content: 'Hi' }), end(raw)])).toThrow(
        expect.objectContaining({ mayFailOver: true }),
      );
    },
  );

  it('needs no [DONE] where every choice has ended', async () => {
    const { choices } = await answerOf([chunk({ content: 'Hi' }), end('stop')], { hasDone: false });
    expect(textOf(choices[0].blocks)).toBe('Hi');
  });

  it('is missed where neither an end nor [DONE] came', () => {
    expect(() => eventsOf([chunk({ content: 'Hi' })], { hasDone: false })).toThrow(
      expect.objectContaining({ code: 'upstream_unavailable' }),
    );
    expect(() => eventsOf([], { hasDone: true })).toThrow(expect.objectContaining({ code: 'upstream_unavailable' }));
  });

  it('comes once where a service repeats its word in every record', async () => {
    const records = [
      chunk({ content: 'H' }, { finish_reason: 'stop' }),
      chunk({ content: 'i' }, { finish_reason: 'stop' }),
    ];
    const { choices } = await answerOf(records);
    expect(textOf(choices[0].blocks)).toBe('Hi');
  });
});

describe('several choices', () => {
  it('are told apart however they are mixed, each with its end', async () => {
    const of = (index: number, delta: object, finish: string | null = null) => ({
      choices: [{ index, delta, finish_reason: finish }],
    });
    const records = [
      of(1, { content: 'b' }),
      of(0, { content: 'a' }),
      of(1, { content: 'B' }, 'length'),
      of(0, { content: 'A' }),
      of(0, {}, 'stop'),
    ];
    const { choices } = await answerOf(records, { choices: 2 });
    expect(choices.map(({ blocks, reason }) => [textOf(blocks), reason])).toEqual([
      ['aA', 'stop'],
      ['bB', 'length'],
    ]);
  });
});

describe('usage', () => {
  const words = [chunk({ content: 'Hi' }), end('stop')];
  const counts = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  const usageOf = async (records: readonly object[], preset: ProviderPreset = 'openai') =>
    (await answerOf(records, { preset })).usage;

  it('is divided so that each token is counted once', async () => {
    const usage = {
      ...counts,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 5 },
    };
    expect(await usageOf([...words, { choices: [], usage }])).toMatchObject({
      inputTokens: 30,
      cacheReadTokens: 60,
      cacheWrite5mTokens: 10,
      outputTokens: 20,
      reasoningTokens: 5,
      raw: usage,
    });
  });

  it('in every record is replaced and never added, and what is null or left out stays', async () => {
    const records = [
      {
        ...chunk({ content: 'Hi' }),
        usage: { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 40 } },
      },
      { ...end('stop'), usage: null },
      {
        choices: [],
        usage: { prompt_tokens: 100, completion_tokens: 20, prompt_tokens_details: { cached_tokens: 40 } },
      },
      { choices: [], usage: { completion_tokens: 21 } },
    ];
    expect(await usageOf(records)).toMatchObject({ inputTokens: 60, cacheReadTokens: 40, outputTokens: 21 });
  });

  it('of zero prompt tokens at the start is unknown and no count', async () => {
    const [start] = eventsOf([
      { ...chunk({ content: 'Hi' }), usage: { prompt_tokens: 0, completion_tokens: 0 } },
      end('stop'),
    ]);
    expect(start).toMatchObject({ type: 'start', usage: { inputTokens: null } });
    expect(
      await usageOf([{ ...words[0], usage: { prompt_tokens: 0 } }, words[1]!, { choices: [], usage: counts }]),
    ).toMatchObject({ inputTokens: 100, outputTokens: 20 });
  });

  it('that nobody told is unknown', async () => {
    expect(await usageOf(words)).toMatchObject({ inputTokens: null, outputTokens: null, cacheReadTokens: null });
  });

  it("knows DeepSeek's names for what a cache had", async () => {
    const usage = { ...counts, prompt_cache_hit_tokens: 70, prompt_cache_miss_tokens: 30 };
    expect(await usageOf([...words, { choices: [], usage }], 'deepseek')).toMatchObject({
      inputTokens: 30,
      cacheReadTokens: 70,
    });
  });

  it("adds what Gemini's completion tokens leave out, which only the total has", async () => {
    const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 170 };
    expect(await usageOf([...words, { choices: [], usage }], 'gemini')).toMatchObject({
      inputTokens: 100,
      outputTokens: 70,
    });
  });

  it('has the class of service that was served', async () => {
    expect(await usageOf([{ ...words[0], service_tier: 'flex' }, words[1]!])).toMatchObject({ servedTier: 'flex' });
  });
});

describe('a failure in an answer that began as a success', () => {
  it.each<[string, object, object]>([
    [
      "OpenAI's",
      { error: { message: 'slow down', type: 'tokens', code: 'rate_limit_exceeded' } },
      { code: 'upstream_rate_limited' },
    ],
    [
      "Gemini's list",
      [{ error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }],
      { code: 'upstream_overloaded' },
    ],
    ['one without envelope', { object: 'error', message: 'too long', code: 400 }, { code: 'upstream_refused' }],
    ['a text for an object', { error: 'the server exploded' }, { code: 'upstream_unavailable' }],
    [
      'a long prompt',
      {
        error: {
          code: 400,
          message: 'the request exceeds the available context size',
          type: 'exceed_context_size_error',
        },
      },
      { code: 'context_length_exceeded' },
    ],
  ])('is thrown as what it is: %s', (_who, record, expected) => {
    expect(() => eventsOf([chunk({ content: 'Hi' }), record])).toThrow(expect.objectContaining(expected));
    expect(() => eventsOf([record])).toThrow(expect.objectContaining(expected));
  });
});

describe('an answer in one piece', () => {
  it('is the same as its stream', async () => {
    const message = {
      role: 'assistant',
      reasoning_content: 'Hm.',
      content: 'Hi',
      tool_calls: [named(0, 'a', 'f', '{"x":1}')].map(({ index: _index, ...rest }) => rest),
    };
    const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 };
    const whole = await answerOf([
      { id: 'r', model: 'm', choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage },
    ]);
    const streamed = await answerOf([
      chunk({ reasoning_content: 'Hm.' }),
      chunk({ content: 'Hi' }),
      call(named(0, 'a', 'f', '{"x":1}')),
      end('tool_calls'),
      { choices: [], usage },
    ]);
    expect(whole).toEqual(streamed);
    expect(whole.choices[0].reason).toBe('tool_calls');
  });

  it('gives log probabilities, of chats and of completions', async () => {
    const token = { token: 'Hi', logprob: -0.25, bytes: null };
    const chat = await answerOf([
      {
        choices: [
          {
            index: 0,
            message: { content: 'Hi' },
            logprobs: { content: [{ ...token, top_logprobs: [token] }] },
            finish_reason: 'stop',
          },
        ],
      },
    ]);
    const text = await answerOf([
      {
        choices: [
          {
            index: 0,
            text: 'Hi',
            logprobs: { tokens: ['Hi'], token_logprobs: [-0.25], top_logprobs: [{ Hi: -0.25 }] },
            finish_reason: 'stop',
          },
        ],
      },
    ]);
    const choice = { text: 'Hi', bytes: [72, 105], logprob: -0.25 };
    for (const { choices } of [chat, text]) {
      expect(choices[0].logprobs).toEqual([{ ...choice, top: [choice] }]);
      expect(textOf(choices[0].blocks)).toBe('Hi');
    }
  });
});
