import type { ConverseStreamOutput } from '@aws-sdk/client-bedrock-runtime';
import { describe, expect, it } from 'vitest';
import { foldEvents, type StreamEvent } from '../../../src/core/events.ts';
import { promptTokensOf } from '../../../src/core/usage.ts';
import { createConverseReader, type ReaderDeps } from '../../../src/providers/bedrock/from-wire.ts';

const deps: ReaderDeps = {
  provider: 'aws',
  model: 'm',
  requestId: 'r1',
  toolNames: { fromWire: (name) => (name === 'short_1' ? 'a.long.name' : name) },
  stop: [],
  place: 'eu',
  warnings: [],
};
const usage = { inputTokens: 21, outputTokens: 7, totalTokens: 28 };

/** Events by the name of their one member. */
const wire = (...events: object[]) => events as ConverseStreamOutput[];
const start = { messageStart: { role: 'assistant' } };
const delta = (index: number, value: object) => ({ contentBlockDelta: { contentBlockIndex: index, delta: value } });
const stop = (index: number) => ({ contentBlockStop: { contentBlockIndex: index } });
const end = (stopReason: string, more: object = {}) => ({ messageStop: { stopReason, ...more } });
const metadata = (more: object = {}) => ({ metadata: { usage, metrics: { latencyMs: 5 }, ...more } });
const toolStart = (index: number, toolUseId: string, name: string) => ({
  contentBlockStart: { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } },
});

function read(events: ConverseStreamOutput[], changes: Partial<ReaderDeps> = {}): StreamEvent[] {
  const reader = createConverseReader({ ...deps, ...changes });
  return [...events.flatMap((event) => reader.read(event)), ...reader.end()];
}

const fold = (events: StreamEvent[]) =>
  foldEvents(
    (async function* () {
      yield* events;
    })(),
    'aws',
  );

describe('an answer of ConverseStream', () => {
  it('has text, reasoning and calls, though only calls have a start', async () => {
    const events = read(
      wire(
        start,
        delta(0, { reasoningContent: { text: 'Hm, ' } }),
        delta(0, { reasoningContent: { text: 'yes.' } }),
        delta(0, { reasoningContent: { signature: 'sig' } }),
        stop(0),
        delta(1, { reasoningContent: { redactedContent: Buffer.from('secret') } }),
        stop(1),
        delta(2, { text: 'I ' }),
        delta(2, { text: 'look.' }),
        stop(2),
        toolStart(3, 't1', 'short_1'),
        delta(3, { toolUse: { input: '' } }),
        delta(3, { toolUse: { input: '{"a"' } }),
        delta(3, { toolUse: { input: ':1}' } }),
        stop(3),
        toolStart(4, 't2', 'look'),
        stop(4),
        end('tool_use'),
        metadata(),
      ),
    );
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      'reasoning-start',
      'reasoning-delta',
      'reasoning-delta',
      'reasoning-end',
      'redacted-reasoning',
      'text-start',
      'text-delta',
      'text-delta',
      'text-end',
      'tool-call-start',
      'tool-call-delta',
      'tool-call-delta',
      'tool-call-end',
      'tool-call-start',
      'tool-call-end',
      'finish',
    ]);
    const { choices, responseId } = await fold(events);
    expect(responseId).toBe('r1');
    expect(choices[0]).toMatchObject({
      reason: 'tool_calls',
      rawReason: 'tool_use',
      blocks: [
        { type: 'reasoning', text: 'Hm, yes.', signature: 'sig', origin: { provider: 'aws' } },
        { type: 'reasoning', redactedData: Buffer.from('secret').toString('base64') },
        { type: 'text', text: 'I look.' },
        { type: 'tool-call', id: 't1', name: 'a.long.name', arguments: { a: 1 } },
        { type: 'tool-call', id: 't2', name: 'look', arguments: {} },
      ],
    });
  });

  it('has one block open at a time, whatever is left unsaid or interleaved', async () => {
    const events = read(
      wire(
        start,
        delta(0, { reasoningContent: { text: 'Hm.' } }),
        delta(0, { text: 'So: ' }),
        toolStart(1, 't1', 'look'),
        delta(1, { toolUse: { input: '{}' } }),
        delta(2, { text: 'Done.' }),
        end('tool_use'),
        metadata(),
      ),
    );
    let open = 0;
    for (const { type } of events) {
      if (/-start$/.test(type)) open++;
      if (/-end$/.test(type)) open--;
      expect(open).toBeLessThanOrEqual(1);
    }
    expect(open).toBe(0);
    const { choices } = await fold(events);
    expect(choices[0].blocks.map(({ type }) => type)).toEqual(['reasoning', 'text', 'tool-call', 'text']);
  });

  it('keeps a signature without text, and of two the last', async () => {
    const events = read(
      wire(
        start,
        delta(0, { reasoningContent: { signature: 'a' } }),
        delta(0, { reasoningContent: { signature: 'b' } }),
        stop(0),
        end('end_turn'),
        metadata(),
      ),
    );
    expect((await fold(events)).choices[0].blocks).toMatchObject([{ type: 'reasoning', text: '', signature: 'b' }]);
  });

  it('cites what its text rests on', async () => {
    const citation = {
      title: 'Report',
      source: 's',
      sourceContent: [{ text: 'as ' }, { text: 'seen' }],
      location: { web: { url: 'https://x.example' } },
    };
    const events = read(
      wire(start, delta(0, { text: 'So it is.' }), delta(0, { citation }), stop(0), end('end_turn'), metadata()),
    );
    const [block] = (await fold(events)).choices[0].blocks;
    expect(block).toMatchObject({
      text: 'So it is.',
      citations: [
        { citedText: 'as seen', title: 'Report', url: 'https://x.example', dialect: 'bedrock', raw: citation },
      ],
    });
  });

  it('keeps what its provider ran itself as a block of its own, which can go back', async () => {
    const use = { toolUseId: 's1', name: 'nova_grounding', type: 'server_tool_use' };
    const events = read(
      wire(
        start,
        { contentBlockStart: { contentBlockIndex: 0, start: { toolUse: use } } },
        delta(0, { toolUse: { input: '{"q":"sea"}' } }),
        stop(0),
        { contentBlockStart: { contentBlockIndex: 1, start: { toolResult: { toolUseId: 's1', type: 'x' } } } },
        delta(1, { toolResult: [{ text: 'found' }] }),
        stop(1),
        end('end_turn'),
        metadata(),
      ),
    );
    expect((await fold(events)).choices[0].blocks).toEqual([
      { type: 'opaque', dialect: 'bedrock', block: { toolUse: { ...use, input: { q: 'sea' } } } },
      {
        type: 'opaque',
        dialect: 'bedrock',
        block: { toolResult: { toolUseId: 's1', type: 'x', content: [{ text: 'found' }] } },
      },
    ]);
  });

  it.each([
    ['end_turn', 'stop'],
    ['tool_use', 'tool_calls'],
    ['max_tokens', 'length'],
    ['stop_sequence', 'stop_sequence'],
    ['content_filtered', 'content_filter'],
    ['guardrail_intervened', 'content_filter'],
    ['model_context_window_exceeded', 'context_full'],
    ['something_new', 'stop'],
  ])('ends with %s as %s', (rawReason, reason) => {
    expect(read(wire(start, delta(0, { text: 'x' }), stop(0), end(rawReason), metadata())).at(-1)).toMatchObject({
      type: 'finish',
      reason,
      rawReason,
    });
  });

  it.each(['malformed_model_output', 'malformed_tool_use'])(
    'is a failure of its provider when it ends with %s',
    (reason) => {
      expect(() => read(wire(start, end(reason), metadata()))).toThrow(
        expect.objectContaining({ code: 'upstream_unavailable', mayFailOver: true }),
      );
    },
  );

  it.each([
    ['as the path was', { additionalModelResponseFields: { delta: { stop_sequence: 'END' } } }, ['END', 'STOP'], 'END'],
    ['without its first step', { additionalModelResponseFields: { stop_sequence: 'END' } }, ['END', 'STOP'], 'END'],
    ['by there being one only', {}, ['STOP'], 'STOP'],
    ['not at all', {}, ['END', 'STOP'], null],
    ['by null', { additionalModelResponseFields: { delta: { stop_sequence: null } } }, ['END', 'STOP'], null],
  ])('tells its stop string %s', (_how, fields, stops, stopSequence) => {
    const events = read(wire(start, delta(0, { text: 'x' }), end('stop_sequence', fields), metadata()), {
      stop: stops,
    });
    expect(events.at(-1)).toMatchObject({ reason: 'stop_sequence', stopSequence });
  });

  it('waits for its usage, which comes after its end', () => {
    const reader = createConverseReader(deps);
    const seen = wire(start, delta(0, { text: 'x' }), stop(0), end('end_turn')).flatMap((event) => reader.read(event));
    expect(seen.map(({ type }) => type)).not.toContain('finish');
    expect(reader.isDone).toBe(false);
    expect(reader.read(wire(metadata())[0]!).at(-1)).toMatchObject({ type: 'finish', usage: { outputTokens: 7 } });
    expect(reader.isDone).toBe(true);
  });

  it('that ends without usage is whole, and its usage unknown', () => {
    expect(read(wire(start, delta(0, { text: 'x' }), end('end_turn'))).at(-1)).toMatchObject({
      type: 'finish',
      usage: { inputTokens: null, outputTokens: null },
    });
  });

  it('that ends before its end is broken', () => {
    expect(() => read(wire(start, delta(0, { text: 'x' })))).toThrow(
      expect.objectContaining({ code: 'upstream_unavailable' }),
    );
    expect(() => read([])).toThrow(expect.objectContaining({ code: 'upstream_unavailable' }));
  });

  it.each([
    ['no cache', {}, { cacheReadTokens: null, cacheWrite5mTokens: null, cacheWrite1hTokens: null }, 21],
    [
      'writes of one kind that nobody details',
      { cacheReadInputTokens: 2048, cacheWriteInputTokens: 188 },
      { cacheReadTokens: 2048, cacheWrite5mTokens: 188, cacheWrite1hTokens: 0 },
      21 + 2048 + 188,
    ],
    [
      'writes for an hour beside writes for five minutes',
      {
        cacheReadInputTokens: 0,
        cacheWriteInputTokens: 300,
        cacheDetails: [
          { ttl: '1h', inputTokens: 200 },
          { ttl: '5m', inputTokens: 100 },
        ],
      },
      { cacheReadTokens: 0, cacheWrite5mTokens: 100, cacheWrite1hTokens: 200 },
      321,
    ],
  ])('counts each token once, with %s', (_name, more, expected, promptTokens) => {
    const events = read(
      wire(start, delta(0, { text: 'x' }), end('end_turn'), { metadata: { usage: { ...usage, ...more } } }),
    );
    const finish = events.at(-1) as Extract<StreamEvent, { type: 'finish' }>;
    expect(finish.usage).toMatchObject({ inputTokens: 21, outputTokens: 7, ...expected });
    expect(promptTokensOf(finish.usage)).toBe(promptTokens);
    expect(finish.usage.raw).toMatchObject(more);
  });

  it.each([
    [{ serviceTier: { type: 'flex' } }, 'flex'],
    [{ performanceConfig: { latency: 'optimized' } }, 'optimized'],
    [{}, null],
  ])('tells how it was served (%j), and where', (more, servedTier) => {
    const events = read(wire(start, end('end_turn'), metadata(more)));
    expect(events.at(-1)).toMatchObject({ usage: { servedTier, servedPlace: 'eu' } });
  });

  it('hands on what a guardrail found', () => {
    const trace = { guardrail: { actionReason: 'x' } };
    const events = read(wire(start, end('guardrail_intervened'), metadata({ trace })));
    expect(events.at(-1)).toMatchObject({ reason: 'content_filter', extra: { bedrock: { trace } } });
  });
});
