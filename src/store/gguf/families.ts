/** Models that read a whole text at once and give vectors, not continuations. */
const encoders = new Set([
  'bert',
  'modern-bert',
  'nomic-bert',
  'nomic-bert-moe',
  'neo-bert',
  'jina-bert-v2',
  'jina-bert-v3',
  'eurobert',
  'gemma-embedding',
  'llama-embed',
  't5encoder',
]);

/**
 * Models with a running state beside or instead of a key-value cache: such a state cannot be cut back to an earlier
 * position.
 */
const recurrent = new Set([
  'mamba',
  'mamba2',
  'rwkv6',
  'rwkv6qwen2',
  'rwkv7',
  'arwkv7',
  'jamba',
  'falcon-h1',
  'granitehybrid',
  'plamo2',
  'nemotron_h',
  'nemotron_h_moe',
  'lfm2',
  'lfm2moe',
  'qwen3next',
  'qwen35',
  'qwen35moe',
  'kimi-linear',
  'bamba',
]);

/** Of the above, those without any attention layer and so without a key-value cache. */
const withoutAttention = new Set(['mamba', 'mamba2', 'rwkv6', 'rwkv6qwen2', 'rwkv7', 'arwkv7']);

/**
 * Every how many layers one sees the whole context, the others only a window. What is not listed, such as Phi 3, may name a
 * window and have no layer that uses it.
 */
const slidingPeriods: ReadonlyMap<string, number> = new Map([
  ['gemma2', 2],
  ['gemma3', 6],
  ['gemma3n', 5],
  ['gpt-oss', 2],
  ['cohere2', 4],
]);

export const slidingPeriodOf = (architecture: string): number | null => slidingPeriods.get(architecture) ?? null;
export const isEncoderArchitecture = (architecture: string) => encoders.has(architecture);
export const isRecurrentArchitecture = (architecture: string) => recurrent.has(architecture);
export const hasNoAttention = (architecture: string) => withoutAttention.has(architecture);
