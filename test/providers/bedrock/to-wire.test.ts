import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatMessage, ChatRequest, ToolDefinition } from '../../../src/core/chat.ts';
import type { AssistantPart, CacheMark, TextPart, UserPart } from '../../../src/core/content.ts';
import { capabilityRow } from '../../../src/providers/bedrock/capability-table.ts';
import { toWire } from '../../../src/providers/bedrock/to-wire.ts';
import { converseViolations } from '../../support/converse-rules.ts';

const bases = {
  claude: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
  newest: 'anthropic.claude-opus-5-5',
  nova: 'amazon.nova-pro-v1:0',
  unknown: 'acme.made-up-v1:0',
};
type Kind = keyof typeof bases;

const limitsOf = (kind: Kind) => {
  const { cache } = capabilityRow(bases[kind]);
  return { cachePlaces: cache?.places ?? [], mostCachePoints: cache?.most ?? 0, hour: cache?.hour ?? false };
};

const requestOf = (
  messages: ChatMessage[],
  changes: Partial<ChatRequest> = {},
  tools: ToolDefinition[] = [],
): ChatRequest => ({
  model: 'm',
  input: { type: 'chat', messages, tools, toolChoice: { type: 'auto' } },
  sampling: {},
  stop: [],
  ...changes,
});

const wireOf = (request: ChatRequest, kind: Kind = 'claude') =>
  toWire(request, { modelId: bases[kind], row: capabilityRow(bases[kind]), provider: 'aws', maxOutputTokens: null });

// biome-ignore lint/suspicious/noExplicitAny: wire values, looked at by hand
const bodyOf = (request: ChatRequest, kind: Kind = 'claude'): any => {
  const { input } = wireOf(request, kind);
  expect(converseViolations(input, limitsOf(kind))).toEqual([]);
  return input;
};

const text = (value: string): TextPart => ({ type: 'text', text: value });
const user = (...content: UserPart[]): ChatMessage => ({ role: 'user', content });
const assistant = (...content: AssistantPart[]): ChatMessage => ({ role: 'assistant', content });
const call = (id: string, name = 'look', args: Record<string, unknown> = { a: 1 }): AssistantPart => ({
  type: 'tool-call',
  id,
  name,
  arguments: args,
});
const result = (callId: string, words = `of ${callId}`, isError = false): UserPart => ({
  type: 'tool-result',
  callId,
  isError,
  content: [text(words)],
});
const png = {
  type: 'image' as const,
  mediaType: 'image/png',
  source: { type: 'bytes' as const, base64: 'iVBORw0KGgo=' },
};
const pdf = (title?: string) => ({
  type: 'document' as const,
  mediaType: 'application/pdf',
  source: { type: 'bytes' as const, base64: 'JVBERi0=' },
  ...(title !== undefined && { title }),
});

describe('any history', () => {
  const words = fc.oneof(fc.constantFrom('', ' ', '\n\t', '\u00a0', '\ufeff'), fc.string({ maxLength: 12 }));
  const mark = fc.option(fc.record({ ttlSeconds: fc.constantFrom<CacheMark['ttlSeconds']>(null, 300, 3600) }), {
    nil: undefined,
    freq: 3,
  });
  const marked = <Part>(parts: fc.Arbitrary<Part>): fc.Arbitrary<Part> =>
    fc.tuple(parts, mark).map(([part, cacheMark]) => ({ ...part, ...(cacheMark && { cacheMark }) }));
  const id = fc.constantFrom('a', 'b', 'c', 'tool.call/with:signs', 'x'.repeat(90));
  const name = fc.constantFrom('look', 'mcp.server.tool', 'n'.repeat(80), 'größe messen');
  const textPart = words.map(text);
  const reasoning = fc.record({
    type: fc.constant('reasoning' as const),
    text: words,
    signature: fc.option(words),
    redactedData: fc.option(fc.constant('cmVk'), { freq: 3 }),
    origin: fc.option(fc.record({ provider: fc.constantFrom('aws', 'anthropic'), model: fc.constant('m') })),
  });
  const calls = fc.tuple(id, name).map(([callId, tool]) => call(callId, tool));
  const media = fc.constantFrom<UserPart>(png, pdf('A  b/c.pdf'), pdf('A b c pdf'), pdf());
  const results = fc
    .tuple(id, fc.boolean(), fc.array(marked(fc.oneof(textPart, media as fc.Arbitrary<TextPart>)), { maxLength: 3 }))
    .map(([callId, isError, content]): UserPart => ({ type: 'tool-result', callId, isError, content }));
  const part = <Part>(...kinds: fc.Arbitrary<Part>[]) => fc.array(marked(fc.oneof(...kinds)), { maxLength: 5 });
  const message = (withMedia: boolean): fc.Arbitrary<ChatMessage> =>
    fc.oneof(
      part(textPart).map((content): ChatMessage => ({ role: 'system', content })),
      part<UserPart>(textPart, results, ...(withMedia ? [media] : [])).map((content) => user(...content)),
      part<AssistantPart>(textPart, calls, reasoning).map((content) => assistant(...content)),
    );
  const tool = fc.tuple(name, mark, words).map(
    ([tool, cacheMark, description]): ToolDefinition => ({
      name: tool,
      description,
      ...(cacheMark && { cacheMark }),
    }),
  );
  const tools = fc.uniqueArray(tool, { selector: (one) => one.name, maxLength: 3 });

  it.each(['claude', 'newest', 'nova'] as const)('becomes a request that Converse takes, for %s', (kind) => {
    fc.assert(
      fc.property(
        fc.array(message(true), { maxLength: 8 }),
        tools,
        fc.constantFrom('auto' as const, 'none' as const),
        fc.constantFrom(undefined, 'pin' as const, 'none' as const),
        (messages, offered, choice, promptCache) => {
          const request: ChatRequest = {
            ...requestOf(messages, promptCache ? { promptCache } : {}),
            input: { type: 'chat', messages, tools: offered, toolChoice: { type: choice } },
          };
          const { input } = wireOf(request, kind);
          expect(converseViolations(input, limitsOf(kind))).toEqual([]);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('becomes a request that Converse takes, for a model that nobody knows', () => {
    const texts = fc.array(message(false), { maxLength: 8 }).map((messages) =>
      messages.map((one) => ({
        ...one,
        content: one.content.map((part) => (part.type === 'tool-result' ? { ...part, content: [text('x')] } : part)),
      })),
    ) as fc.Arbitrary<ChatMessage[]>;
    fc.assert(
      fc.property(texts, tools, (messages, offered) => {
        const { input } = wireOf(requestOf(messages, {}, offered), 'unknown');
        expect(converseViolations(input, limitsOf('unknown'))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('says nothing twice and loses no text that is not blank', () => {
    fc.assert(
      fc.property(fc.array(message(false), { maxLength: 6 }), (messages) => {
        const sent = JSON.stringify(wireOf(requestOf(messages)).input);
        for (const one of messages) {
          for (const part of one.content) {
            if (part.type === 'text' && part.text.trim() !== '')
              expect(sent).toContain(JSON.stringify(part.text).slice(1, -1));
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('parallel results of tools', () => {
  const permutations = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const cuts = [[3], [1, 2], [2, 1], [1, 1, 1]];
  it.each(permutations.flatMap((order) => cuts.map((cut) => [order, cut])))(
    'in the order %j over messages of %j come as one turn in the order of the calls',
    (order, cut) => {
      const ids = ['a', 'b', 'c'];
      const left = order.map((index) => result(ids[index]!));
      const messages = cut.map((count) => user(...left.splice(0, count)));
      const { messages: sent } = bodyOf(
        requestOf([user(text('hi')), assistant(...ids.map((id) => call(id))), ...messages]),
      );
      expect(sent).toHaveLength(3);
      expect(sent[2].content.map((block: { toolResult: { toolUseId: string } }) => block.toolResult.toolUseId)).toEqual(
        ids,
      );
      expect(sent[2].content[1].toolResult.content).toEqual([{ text: 'of b' }]);
    },
  );
});

describe('calls and results that do not match', () => {
  it('puts text before calls, answers a call without a result, and tells a result without its call as text', () => {
    const { messages } = bodyOf(
      requestOf([
        user(text('hi')),
        assistant(call('a'), text('I look.'), call('b')),
        user(result('z'), text('well?'), result('b')),
      ]),
    );
    expect(messages[1].content.map((block: object) => Object.keys(block)[0])).toEqual(['text', 'toolUse', 'toolUse']);
    expect(messages[2].content).toEqual([
      { toolResult: { toolUseId: 'a', content: [{ text: 'There is no result of this call.' }], status: 'error' } },
      { toolResult: { toolUseId: 'b', content: [{ text: 'of b' }] } },
      { text: 'Result (call z):' },
      { text: 'of z' },
      { text: 'well?' },
    ]);
  });

  it('answers calls that are the last thing said', () => {
    const { messages } = bodyOf(requestOf([user(text('hi')), assistant(call('a'))]));
    expect(messages.at(-1)).toMatchObject({
      role: 'user',
      content: [{ toolResult: { toolUseId: 'a', status: 'error' } }],
    });
  });

  it('tells ids that occur again apart, and keeps each with its result', () => {
    const turn = (answer: string) => [assistant(call('call_0')), user(result('call_0', answer))];
    const { messages } = bodyOf(requestOf([user(text('hi')), ...turn('first'), ...turn('second')]));
    expect(messages[4].content[0].toolResult).toEqual({ toolUseId: 'call_0-2', content: [{ text: 'second' }] });
  });

  it('tells a failure by words where a model knows no status of results', () => {
    const history = [user(text('hi')), assistant(call('a')), user(result('a', 'no such file', true))];
    expect(bodyOf(requestOf(history)).messages[2].content[0].toolResult.status).toBe('error');
    expect(bodyOf(requestOf(history), 'unknown').messages[2].content[0].toolResult).toEqual({
      toolUseId: 'a',
      content: [{ text: 'The tool failed:' }, { text: 'no such file' }],
    });
  });
});

describe('a history with tools and a request without', () => {
  const history = [user(text('hi')), assistant(call('a', 'look')), user(result('a'))];
  it('brings a toolConfig of stubs made from the history', () => {
    expect(bodyOf(requestOf(history)).toolConfig.tools).toMatchObject([
      { toolSpec: { name: 'look', inputSchema: { json: { type: 'object', properties: {} } } } },
    ]);
  });

  it('is told as text where no tool may be called', () => {
    const request = requestOf(history, {}, [{ name: 'look' }]);
    if (request.input.type === 'chat') request.input.toolChoice = { type: 'none' };
    const { messages, toolConfig } = bodyOf(request);
    expect(toolConfig).toBeUndefined();
    expect(messages[1].content).toEqual([{ text: 'Call of look (call a): {"a":1}' }]);
    expect(messages[2].content).toEqual([{ text: 'Result (call a):' }, { text: 'of a' }]);
  });
});

describe('blank text', () => {
  const places: [string, (blank: string) => ChatMessage[]][] = [
    ['system', (blank) => [{ role: 'system', content: [text(blank)] }, user(text('hi'))]],
    ['a system message in the middle', (blank) => [user(text('hi')), { role: 'system', content: [text(blank)] }]],
    ['the whole of a user', (blank) => [user(text(blank))]],
    ['a part of a user', (blank) => [user(text(blank), text('hi'))]],
    ['the whole of an assistant', (blank) => [user(text('hi')), assistant(text(blank)), user(text('on'))]],
    ['beside a call', (blank) => [user(text('hi')), assistant(text(blank), call('a')), user(result('a'))]],
    ['a result', (blank) => [user(text('hi')), assistant(call('a')), user(result('a', blank))]],
    [
      'reasoning',
      (blank) => [
        user(text('hi')),
        assistant({ type: 'reasoning', text: blank, signature: 's', redactedData: null, origin: null }, text('ok')),
        user(text('on')),
      ],
    ],
    [
      'a document',
      (blank) => [user({ type: 'document', mediaType: 'text/plain', source: { type: 'text', text: blank } })],
    ],
  ];
  it.each(places.flatMap(([place, of]) => ['', ' ', '\n', '\u2003'].map((blank) => [place, blank, of] as const)))(
    'as %s (%j) is left out, or told by words',
    (_place, blank, of) => {
      const { messages, system } = bodyOf(requestOf(of(blank)));
      expect(system).toBeUndefined();
      const empty = messages.flatMap(({ content }: { content: object[] }) => content).length === 0;
      expect(empty).toBe(false);
    },
  );

  it('of nothing else leaves a turn that says so', () => {
    expect(bodyOf(requestOf([user(text(' '))])).messages).toEqual([{ role: 'user', content: [{ text: '(empty)' }] }]);
  });
});

describe('names of documents', () => {
  it('are cleaned, cut and told apart', () => {
    const titles = [
      'Report: Q3/2026 (final).pdf',
      'Report  Q3 2026 (final) pdf',
      '',
      'Übersicht',
      'x'.repeat(300),
      'x'.repeat(300),
    ];
    const { messages } = bodyOf(requestOf([user(...titles.map((title) => pdf(title)), text('read'))]));
    const names = messages[0].content.flatMap((block: { document?: { name: string } }) => block.document?.name ?? []);
    expect(names.slice(0, 4)).toEqual([
      'Report Q3 2026 (final) pdf',
      'Report Q3 2026 (final) pdf (2)',
      'document',
      'U bersicht',
    ]);
    expect(names[5]).toBe(`${'x'.repeat(196)} (2)`);
  });

  it('are valid whatever the title is', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 250 }), { minLength: 1, maxLength: 5 }), (titles) => {
        bodyOf(requestOf([user(...titles.map((title) => pdf(title)), text('read'))]));
      }),
    );
  });

  it('bring the format of the media type, and refuse one that Converse does not have', () => {
    const csv = {
      type: 'document' as const,
      mediaType: 'text/csv; charset=utf-8',
      source: { type: 'text' as const, text: 'a,b' },
    };
    const { messages } = bodyOf(requestOf([user(csv, text('read'))]));
    expect(messages[0].content[0].document).toMatchObject({ format: 'csv', source: { bytes: Buffer.from('a,b') } });
    const odd = { ...pdf(), mediaType: 'application/zip' };
    expect(() => wireOf(requestOf([user(odd)]))).toThrow(
      expect.objectContaining({ code: 'invalid_request', field: 'input.messages.0.content.0.mediaType' }),
    );
  });
});

describe('names of tools', () => {
  it('that Converse does not take are cut, in the tools, the history and the choice, and come back', () => {
    const long = `mcp.${'server_'.repeat(12)}tool`;
    const request = requestOf([user(text('hi')), assistant(call('a', long)), user(result('a'))], {}, [{ name: long }]);
    if (request.input.type === 'chat') request.input.toolChoice = { type: 'tool', name: long };
    const { input, toolNames } = wireOf(request);
    expect(converseViolations(input, limitsOf('claude'))).toEqual([]);
    const short = input.toolConfig!.tools![0]!.toolSpec!.name!;
    expect(input.messages![1]!.content![0]!.toolUse!.name).toBe(short);
    expect(input.toolConfig!.toolChoice!.tool!.name).toBe(short);
    expect(toolNames.fromWire(short)).toBe(long);
  });

  it('survive a thousand at once, and are the same in the next request', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `${'very.long/name '.repeat(5)}${index * 7919}`);
    const { toolNames } = wireOf(
      requestOf(
        [user(text('hi'))],
        {},
        names.map((name) => ({ name })),
      ),
    );
    expect(new Set(names.map(toolNames.toWire)).size).toBe(1000);
    expect(names.map(toolNames.toWire).map(toolNames.fromWire)).toEqual(names);
    const { toolNames: later } = wireOf(requestOf([user(text('hi'))], {}, [{ name: names[500]! }]));
    expect(later.toWire(names[500]!)).toBe(toolNames.toWire(names[500]!));
  });

  it('that look like the short name of another are told apart', () => {
    const odd = 'a.b';
    const { toolNames } = wireOf(requestOf([user(text('hi'))], {}, [{ name: odd }]));
    const both = wireOf(requestOf([user(text('hi'))], {}, [{ name: odd }, { name: toolNames.toWire(odd) }])).toolNames;
    expect(both.toWire(odd)).not.toBe(toolNames.toWire(odd));
    expect(both.fromWire(both.toWire(odd))).toBe(odd);
  });
});

describe('cache points', () => {
  const hour: CacheMark = { ttlSeconds: 3600 };
  const long = (kind: Kind, ...marks: CacheMark[]) =>
    bodyOf(
      requestOf([user(...marks.map((cacheMark, index) => ({ ...text(`part ${index}`), cacheMark })))], {}, [
        { name: 'look', cacheMark: hour },
      ]),
      kind,
    );

  it.each([
    ['claude', { tools: [{ type: 'default', ttl: '1h' }], messages: [{ type: 'default' }] }],
    ['nova', { tools: [], messages: [{ type: 'default' }] }],
    ['unknown', { tools: [], messages: [] }],
  ] as const)('stand where %s takes them', (kind, expected) => {
    const { toolConfig, messages } = long(kind, { ttlSeconds: null });
    const pointsOf = (blocks: { cachePoint?: object }[]) => blocks.flatMap(({ cachePoint }) => cachePoint ?? []);
    expect({ tools: pointsOf(toolConfig.tools), messages: pointsOf(messages[0].content) }).toEqual(expected);
  });

  it('are four, the last ones, none of an hour behind one of five minutes', () => {
    const body = long('claude', { ttlSeconds: null }, hour, hour, hour, hour);
    const points = body.messages[0].content.map(
      (block: { cachePoint?: { ttl?: string } }) => block.cachePoint?.ttl ?? 'x',
    );
    expect(body.toolConfig.tools).toHaveLength(1);
    expect(points.filter((ttl: string) => ttl === '1h')).toHaveLength(4);
    const mixed = long('claude', { ttlSeconds: 300 }, hour);
    expect(JSON.stringify(mixed.messages)).not.toContain('1h');
    const { warnings } = wireOf(
      requestOf([user({ ...text('a'), cacheMark: { ttlSeconds: 300 } }, { ...text('b'), cacheMark: hour })]),
    );
    expect(warnings).toEqual([
      { field: 'input.messages.0.content.1.cacheMark', message: 'Kept for five minutes instead of an hour.' },
    ]);
  });

  it('stand behind a result, never in it', () => {
    const inner = { ...text('words'), cacheMark: hour };
    const marked: UserPart = { type: 'tool-result', callId: 'a', isError: false, content: [inner] };
    const { messages } = bodyOf(requestOf([user(text('hi')), assistant(call('a')), user(marked)]));
    expect(messages[2].content).toEqual([
      { toolResult: { toolUseId: 'a', content: [{ text: 'words' }] } },
      { cachePoint: { type: 'default', ttl: '1h' } },
    ]);
  });

  it('are one at the end where the prompt is to be kept, and none where nothing is', () => {
    const messages = [user(text('hi'), { ...text('there'), cacheMark: hour })];
    const pinned = bodyOf(requestOf([user(text('hi'))], { promptCache: 'pin' }));
    expect(pinned.messages[0].content.at(-1)).toEqual({ cachePoint: { type: 'default' } });
    expect(JSON.stringify(bodyOf(requestOf(messages, { promptCache: 'none' })))).not.toContain('cachePoint');
  });
});

describe('media', () => {
  it.each([
    ['an image by its address', { ...png, source: { type: 'url' as const, url: 'http://10.0.0.1/a.png' } }],
    ['an image by an id', { ...png, source: { type: 'file' as const, fileId: 'file_1' } }],
    ['a document by its address', { ...pdf(), source: { type: 'url' as const, url: 'https://x.example/a.pdf' } }],
  ])('refuses %s, with its place', (_name, part) => {
    expect(() => wireOf(requestOf([user(text('look'), part)]))).toThrow(
      expect.objectContaining({ code: 'invalid_request', field: 'input.messages.0.content.1.source' }),
    );
  });

  it('goes as bytes, of the kind that they are', () => {
    const lying = { ...png, mediaType: 'image/jpeg' };
    const { messages } = bodyOf(requestOf([user(lying)]));
    expect(messages[0].content[0].image).toEqual({
      format: 'png',
      source: { bytes: Buffer.from('iVBORw0KGgo=', 'base64') },
    });
  });

  it('is refused for a model that sees nothing, and in what an assistant said', () => {
    expect(() => wireOf(requestOf([user(png)]), 'unknown')).toThrow(
      expect.objectContaining({ code: 'not_supported', field: 'input.messages.0.content.0' }),
    );
    expect(() => wireOf(requestOf([user(text('hi')), assistant(png)]))).toThrow(
      expect.objectContaining({ field: 'input.messages.1.content.0' }),
    );
  });
});

describe('prefill', () => {
  const history = [user(text('Count.')), assistant(text('one, '))];
  const going = (kind: Kind) => {
    const request = requestOf(history);
    if (request.input.type === 'chat') request.input.continuesLast = true;
    return wireOf(request, kind).input.messages;
  };
  it('ends without white space where the model takes one, and is refused early with a hint where not', () => {
    expect(going('claude')!.at(-1)).toEqual({ role: 'assistant', content: [{ text: 'one,' }] });
    expect(() => going('newest')).toThrow(
      expect.objectContaining({
        code: 'not_supported',
        field: 'input.continuesLast',
        fix: expect.stringContaining('user'),
      }),
    );
  });
  it('is none where the answer is a turn of its own', () => {
    expect(bodyOf(requestOf(history)).messages.at(-1)).toEqual({ role: 'user', content: [{ text: '(go on)' }] });
  });
});

describe('thinking', () => {
  const asked = (reasoning: ChatRequest['reasoning'], kind: Kind, changes: Partial<ChatRequest> = {}) =>
    wireOf(requestOf([user(text('hi'))], { reasoning: reasoning!, ...changes }), kind);

  it('never sends a budget to a model that thinks adaptively only', () => {
    const { input, warnings } = asked({ mode: 'on', budgetTokens: 20_000, effort: 'xhigh' }, 'newest');
    expect(input.additionalModelRequestFields).toEqual({ thinking: { type: 'adaptive' } });
    expect(input.outputConfig).toEqual({ effort: 'xhigh' });
    expect(warnings.map(({ field }) => field)).toEqual(['reasoning.budgetTokens']);
  });

  it.each([
    [{ mode: 'on' as const, budgetTokens: 2048 }, 8000, 2048],
    [{ mode: 'on' as const, budgetTokens: 500 }, 8000, 1024],
    [{ mode: 'on' as const, budgetTokens: 9000 }, 8000, 7999],
    [{ mode: 'on' as const, effort: 'high' as const }, 10_000, 8000],
  ])('keeps the budget of %j within an answer of %d tokens: %d', (wish, maxTokens, budget) => {
    const { input } = asked(wish, 'claude', { maxTokens });
    expect(input.additionalModelRequestFields).toEqual({ thinking: { type: 'enabled', budget_tokens: budget } });
  });

  it('leaves sampling out while Claude thinks, and on models that choose for themselves, with a note', () => {
    const sampling = { temperature: 0.5, topP: 0.9, topK: 40 };
    const thinking = asked({ mode: 'on', budgetTokens: 2048 }, 'claude', { sampling });
    expect(thinking.input.inferenceConfig).toEqual({ maxTokens: 16_384 });
    expect(thinking.warnings.map(({ field }) => field).sort()).toEqual([
      'sampling.temperature',
      'sampling.topK',
      'sampling.topP',
    ]);
    const plain = wireOf(requestOf([user(text('hi'))], { sampling }), 'newest');
    expect(plain.input.inferenceConfig).toEqual({ maxTokens: 16_384 });
    expect(plain.warnings).toHaveLength(3);
  });

  it('refuses a forced call meanwhile', () => {
    const request = requestOf([user(text('hi'))], { reasoning: { mode: 'on', budgetTokens: 2048 } }, [
      { name: 'look' },
    ]);
    if (request.input.type === 'chat') request.input.toolChoice = { type: 'required' };
    expect(() => wireOf(request)).toThrow(
      expect.objectContaining({ code: 'invalid_request', field: 'input.toolChoice' }),
    );
  });

  it('goes back with its signature to Claude here, and to nobody else', () => {
    const thought = (provider: string): AssistantPart => ({
      type: 'reasoning',
      text: 'Hm.',
      signature: 'sig',
      redactedData: null,
      origin: { provider, model: 'm' },
    });
    const history = (provider: string) => [
      user(text('hi')),
      assistant(thought(provider), text('yes')),
      user(text('on')),
    ];
    expect(bodyOf(requestOf(history('aws'))).messages[1].content[0]).toEqual({
      reasoningContent: { reasoningText: { text: 'Hm.', signature: 'sig' } },
    });
    expect(JSON.stringify(bodyOf(requestOf(history('anthropic'))))).not.toContain('sig');
    expect(JSON.stringify(bodyOf(requestOf(history('aws')), 'nova'))).not.toContain('sig');
  });
});

describe('bounds and form', () => {
  it('clamps a bound that the model does not have, with a note, and sets one where there is none', () => {
    const { input, warnings } = wireOf(requestOf([user(text('hi'))], { maxTokens: 1_000_000 }));
    expect(input.inferenceConfig!.maxTokens).toBe(64_000);
    expect(warnings.map(({ field }) => field)).toEqual(['maxTokens']);
    expect(wireOf(requestOf([user(text('hi'))]), 'nova').input.inferenceConfig!.maxTokens).toBe(10_000);
  });

  it('sends a schema as text, once', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const sent = (value: unknown) =>
      bodyOf(requestOf([user(text('hi'))], { format: { type: 'json-schema', schema: value } })).outputConfig.textFormat;
    expect(sent(schema)).toEqual({
      type: 'json_schema',
      structure: { jsonSchema: { name: 'answer', schema: JSON.stringify(schema) } },
    });
    expect(sent(JSON.stringify(schema))).toEqual(sent(schema));
  });

  it('asks which stop string it was', () => {
    const { additionalModelResponseFieldPaths, inferenceConfig } = bodyOf(
      requestOf([user(text('hi'))], { stop: ['END', ' '] }),
    );
    expect(additionalModelResponseFieldPaths).toEqual(['/delta/stop_sequence']);
    expect(inferenceConfig.stopSequences).toEqual(['END']);
  });

  it('makes the same bytes of the same request, and one more turn only adds to them', () => {
    const history = [user(text('hi')), assistant(text('a'), call('x')), user(result('x'))];
    const messagesOf = (messages: ChatMessage[]) =>
      JSON.stringify(wireOf(requestOf(messages, {}, [{ name: 'look' }])).input.messages);
    const before = messagesOf(history);
    expect(messagesOf(history)).toBe(before);
    expect(messagesOf([...history, assistant(text('b')), user(text('c'))]).startsWith(before.slice(0, -1))).toBe(true);
  });
});
