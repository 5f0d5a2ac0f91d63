/** What a fake model is asked, in nobody's dialect. */
export interface WordQuestion {
  /** All text of the prompt; the same one is answered alike. */
  prompt: string;
  /** Most words of an answer, thoughts included. */
  maxTokens: number;
  stop: readonly string[];
  /** A tool that it must call. */
  tool?: { name: string; schema: unknown } | null;
  thinks?: boolean;
}

/** One word is one token. */
export interface WordAnswer {
  thought: string[];
  text: string[];
  call: { name: string; arguments: Record<string, unknown> } | null;
  reason: 'end' | 'length' | 'stop_sequence' | 'tool';
  stopSequence: string | null;
  promptTokens: number;
  outputTokens: number;
}

const words =
  'the sea is wide and deep today while small ships go out far beyond grey hills to look for warm rain'.split(' ');
/** Words of an answer that nothing ends before. */
const usualWords = 600;

/** A model of a few words: greedy, quick, and always willing. */
export function answerInWords({ prompt, maxTokens, stop, tool, thinks }: WordQuestion): WordAnswer {
  const promptTokens = Math.max(1, prompt.split(/\s+/).filter(Boolean).length);
  const seed = [...prompt].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 65_521, 7);
  const thought = thinks ? ['Let', ' me', ' think.'].slice(0, maxTokens) : [];
  const base = { thought, promptTokens, stopSequence: null };
  const left = maxTokens - thought.length;
  if (tool) {
    const call = { name: tool.name, arguments: sample(tool.schema) as Record<string, unknown> };
    return { ...base, text: [], call, reason: 'tool', outputTokens: thought.length + 5 };
  }
  const all = Array.from(
    { length: Math.min(left, usualWords) },
    (_, index) => `${index === 0 ? '' : ' '}${words[(seed + index * 7) % words.length]}`,
  );
  const whole = all.join('');
  const hits = stop.map((text) => ({ text, at: whole.indexOf(text) })).filter(({ at }) => at >= 0);
  const [first] = hits.sort((a, b) => a.at - b.at);
  if (first === undefined) {
    const reason = left <= usualWords ? 'length' : 'end';
    return { ...base, text: all, call: null, reason, outputTokens: thought.length + all.length };
  }
  const text = whole
    .slice(0, first.at)
    .split(/(?= )/)
    .filter((word) => word !== '');
  return {
    ...base,
    text,
    call: null,
    reason: 'stop_sequence',
    stopSequence: first.text,
    outputTokens: Math.max(1, thought.length + text.length),
  };
}

/** Something that keeps to a simple schema. */
function sample(schema: unknown): unknown {
  const { type, properties, items, enum: options } = (schema ?? {}) as Record<string, unknown>;
  if (Array.isArray(options)) return options[0];
  switch (type) {
    case 'string':
      return 'Oslo';
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    case 'array':
      return [sample(items)];
    default:
      return Object.fromEntries(
        Object.entries((properties ?? {}) as Record<string, unknown>).map(([name, inner]) => [name, sample(inner)]),
      );
  }
}
