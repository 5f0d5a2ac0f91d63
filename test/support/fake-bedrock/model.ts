// biome-ignore lint/suspicious/noExplicitAny: bodies of the wire, read by hand
type Wire = any;

/** What the model says, word for word; a word is a token. */
const words = 'The sea is wide and blue, and it never sleeps, as ships know well.'.split(/(?<= )/);

/** An answer of the pretended model. */
export interface FakeAnswer {
  pieces: string[];
  stopReason: string;
  stopSequence: string | null;
  call: { name: string; input: Record<string, unknown> } | null;
  usage: { inputTokens: number; outputTokens: number };
}

/** Tokens of a prompt: nobody's count, but the same for the same prompt however it is asked for. */
export function fakePromptTokens(body: Wire): number {
  const { messages, system, toolConfig, tools } = body;
  return Math.ceil(JSON.stringify([messages, system, toolConfig, tools]).length / 4);
}

/** Answers in the words of either dialect: bounds, stop strings and forced calls are honoured. */
export function fakeAnswer(body: Wire): FakeAnswer {
  const config = body.inferenceConfig ?? {};
  const most: number = config.maxTokens ?? body.max_tokens ?? 1000;
  const stops: string[] = config.stopSequences ?? body.stop_sequences ?? [];
  const inputTokens = fakePromptTokens(body);
  const call = forcedCall(body);
  if (call) {
    return { pieces: [], stopReason: 'tool_use', stopSequence: null, call, usage: { inputTokens, outputTokens: 9 } };
  }
  const full = words.slice(0, most).join('');
  const ends = stops.map((stop) => ({ stop, at: full.indexOf(stop) })).filter(({ at }) => at >= 0);
  const [end] = ends.sort((a, b) => a.at - b.at);
  const text = end ? full.slice(0, end.at) : full;
  const pieces = text.split(/(?<= )/).filter((piece) => piece !== '');
  return {
    pieces,
    stopReason: end ? 'stop_sequence' : most < words.length ? 'max_tokens' : 'end_turn',
    stopSequence: end?.stop ?? null,
    call: null,
    usage: { inputTokens, outputTokens: Math.max(1, pieces.length) },
  };
}

function forcedCall(body: Wire): FakeAnswer['call'] {
  const choice = body.toolConfig?.toolChoice ?? {};
  const specs = (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }: Wire) => toolSpec ?? []);
  const spec = choice.any ? specs[0] : specs.find(({ name }: Wire) => name === choice.tool?.name);
  if (!spec) return null;
  const properties = Object.entries(spec.inputSchema.json.properties ?? {});
  return { name: spec.name, input: Object.fromEntries(properties.map(([name]) => [name, 'Oslo'])) };
}

/** The answer as events of ConverseStream, `[name, payload]` each; text has no start, usage comes after the end. */
export function converseEvents({ pieces, call, stopReason, stopSequence, usage }: FakeAnswer): [string, unknown][] {
  const delta = (value: unknown) => ({ contentBlockIndex: 0, delta: value });
  const text = pieces.map((piece): [string, unknown] => ['contentBlockDelta', delta({ text: piece })]);
  const input = JSON.stringify(call?.input ?? {});
  const calls: [string, unknown][] = [
    ['contentBlockStart', { contentBlockIndex: 0, start: { toolUse: { toolUseId: 'tooluse_1', name: call?.name } } }],
    ['contentBlockDelta', delta({ toolUse: { input: input.slice(0, 5) } })],
    ['contentBlockDelta', delta({ toolUse: { input: input.slice(5) } })],
  ];
  const fields =
    stopSequence === null ? {} : { additionalModelResponseFields: { delta: { stop_sequence: stopSequence } } };
  return [
    ['messageStart', { role: 'assistant' }],
    ...(call ? calls : text),
    ['contentBlockStop', { contentBlockIndex: 0 }],
    ['messageStop', { stopReason, ...fields }],
    [
      'metadata',
      { usage: { ...usage, totalTokens: usage.inputTokens + usage.outputTokens }, metrics: { latencyMs: 12 } },
    ],
  ];
}

/** The answer as Claude's whole message. */
export function wholeMessage({ pieces, stopReason, stopSequence, usage }: FakeAnswer): Wire {
  return {
    model: 'claude-sonnet-4-5-20250929',
    id: 'msg_bdrk_1',
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text: pieces.join('') }],
    stop_reason: stopReason,
    stop_sequence: stopSequence,
    usage: {
      input_tokens: usage.inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: usage.outputTokens,
    },
  };
}

/** The answer as Claude's own events, as they travel in chunks. */
export function messageEvents(answer: FakeAnswer): Wire[] {
  const { content: _content, stop_reason, stop_sequence, usage, ...head } = wholeMessage(answer);
  const start = { ...head, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } };
  return [
    { type: 'message_start', message: start },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...answer.pieces.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason, stop_sequence }, usage: { output_tokens: usage.output_tokens } },
    {
      type: 'message_stop',
      'amazon-bedrock-invocationMetrics': {
        inputTokenCount: usage.input_tokens,
        outputTokenCount: usage.output_tokens,
      },
    },
  ];
}
