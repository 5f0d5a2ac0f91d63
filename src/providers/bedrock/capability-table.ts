/**
 * What models on Bedrock can do and take. Data: each row tells where it was read and when; whoever knows better changes it
 * here and nowhere else. A model without a row gets `carefulRow`.
 */
export interface CapabilityRow {
  /** Ids of foundation models that begin like this; the longest match counts. */
  base: string;
  /** What follows `base` in the id by which it is asked for; null: the row is of a family and names none. */
  suffix: string | null;
  displayName: string;
  contextTokens: number | null;
  maxOutputTokens: number | null;
  reads: readonly ('image' | 'document')[];
  /** Ways of choosing a tool; none: it has no tools. */
  toolChoices: readonly ('auto' | 'any' | 'tool')[];
  /** Whether a call can be forced while it thinks. */
  forcesToolsThinking: boolean;
  /** Whether it takes Anthropic's `tool_choice` beside Converse's, which alone can forbid parallel calls. */
  nativeToolChoice: boolean;
  /** Where cache points may stand, and how many; null: it refuses them. */
  cache: { places: readonly ('tools' | 'system' | 'messages')[]; most: number; hour: boolean } | null;
  /**
   * How thinking is asked for: Anthropic's with a budget, Anthropic's adaptive kind, either of the two, Nova's effort,
   * OpenAI's effort (flat, or as an object), or not at all (`always`: it thinks, whatever is asked for).
   */
  thinking: 'budget' | 'adaptive' | 'budget-or-adaptive' | 'nova' | 'effort' | 'effort-object' | 'always' | 'none';
  /** Whether thinking has to be switched off, and how: by a word, by saying nothing, or not at all. */
  thinkingOff: 'disabled' | 'absent' | 'never';
  /** `one`: temperature or top-p, not both; `none`: any value is refused. */
  sampling: 'all' | 'one' | 'none';
  /** Name and place of top-k among the model's own fields; null: it has none. */
  topK: 'top_k' | 'nova' | null;
  prefill: boolean;
  /** Whether it tells the result of a failed tool by a status; else by words. */
  resultStatus: boolean;
  /** Whether it can cite documents, and reads what a document is for. */
  citesDocuments: boolean;
  structuredOutput: boolean;
  countTokens: boolean;
  /** Whether it answers only through a profile over regions. */
  profileOnly: boolean;
  /** Whether it takes Anthropic's messages as they are. */
  nativeMessages: boolean;
  /** Flags of `anthropic-beta` that it does not refuse. */
  betas: readonly string[];
  /** Where that was read, and when. */
  source: string;
}

/** What is true of nearly every model: nothing is sent that one of them refuses. */
export const carefulRow: CapabilityRow = {
  base: '',
  suffix: null,
  displayName: '',
  contextTokens: null,
  maxOutputTokens: null,
  reads: [],
  toolChoices: ['auto'],
  forcesToolsThinking: false,
  nativeToolChoice: false,
  cache: null,
  thinking: 'none',
  thinkingOff: 'absent',
  sampling: 'all',
  topK: null,
  prefill: false,
  resultStatus: false,
  citesDocuments: false,
  structuredOutput: false,
  countTokens: false,
  profileOnly: false,
  nativeMessages: false,
  betas: [],
  source: 'careful by intent',
};

const priceFile = "LiteLLM's model list 1.110.2 and beta list, read 2026-11-29";
const reports = (...threads: string[]) => [priceFile, ...threads].join('; ');

/** Accepted by live probes (Envoy AI Gateway PR 2512, 2026-08) or by LiteLLM's list for Bedrock (2026-11). */
const claudeBetas = [
  'compact-2026-01-12',
  'compact-2026-09-04',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03',
  'effort-2025-11-24',
  'fine-grained-tool-streaming-2025-05-14',
  'interleaved-thinking-2025-05-14',
  'mid-conversation-output-config-2026-07-01',
  'mid-conversation-tool-changes-2026-07-01',
  'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18',
  'token-efficient-tools-2025-02-19',
  'tool-search-tool-2025-10-19',
];

/** Claude as of 4: what a row does not name is like this. */
const claude: CapabilityRow = {
  ...carefulRow,
  suffix: '-v1:0',
  contextTokens: 200_000,
  maxOutputTokens: 64_000,
  reads: ['image', 'document'],
  toolChoices: ['auto', 'any', 'tool'],
  cache: { places: ['tools', 'system', 'messages'], most: 4, hour: false },
  thinking: 'budget',
  topK: 'top_k',
  prefill: true,
  resultStatus: true,
  citesDocuments: true,
  countTokens: true,
  profileOnly: true,
  nativeMessages: true,
  betas: claudeBetas,
  source: priceFile,
};
const claude45: CapabilityRow = {
  ...claude,
  cache: { places: ['tools', 'system', 'messages'], most: 4, hour: true },
  nativeToolChoice: true,
  sampling: 'one',
  structuredOutput: true,
  source: reports('AWS user guide, prompt caching'),
};
/** As of 4.7 a sampling value, a budget of thinking and a prefill are refused. */
const claude47: CapabilityRow = {
  ...claude45,
  suffix: '',
  contextTokens: 1_000_000,
  maxOutputTokens: 128_000,
  thinking: 'adaptive',
  thinkingOff: 'disabled',
  sampling: 'none',
  topK: null,
  prefill: false,
  structuredOutput: false,
  countTokens: false,
  // One of them refused every flag but this when it came (claude-code 49370, 2026-04).
  betas: ['interleaved-thinking-2025-05-14'],
  source: reports('hermes-agent 36151', 'litellm 37102 (no CountTokens)', 'opencode 29760'),
};
const claude5: CapabilityRow = { ...claude47, betas: claudeBetas };
/** These think always, and choose their tools themselves (Anthropic's documentation of models, read 2026-11-29). */
const claudeFree: CapabilityRow = { ...claude5, thinkingOff: 'never', toolChoices: ['auto'] };

const nova: CapabilityRow = {
  ...carefulRow,
  suffix: '-v1:0',
  contextTokens: 300_000,
  maxOutputTokens: 10_000,
  reads: ['image', 'document'],
  toolChoices: ['auto', 'any', 'tool'],
  cache: { places: ['system', 'messages'], most: 4, hour: false },
  topK: 'nova',
  resultStatus: true,
  source: reports('AWS user guide, prompt caching: no cache points in tools'),
};
/** Models that AWS serves with plain tools, and nothing that only some have. */
const open = (base: string, displayName: string, contextTokens: number, maxOutputTokens: number): CapabilityRow => ({
  ...carefulRow,
  base,
  displayName,
  contextTokens,
  maxOutputTokens,
  source: priceFile,
});

export const capabilityTable: readonly CapabilityRow[] = [
  {
    ...claude,
    base: 'anthropic.claude-3-',
    suffix: null,
    displayName: 'Claude 3',
    maxOutputTokens: 4096,
    cache: null,
    thinking: 'none',
    profileOnly: false,
    countTokens: false,
  },
  {
    ...claude,
    base: 'anthropic.claude-3-5-haiku-20241022',
    displayName: 'Claude Haiku 3.5',
    maxOutputTokens: 8192,
    reads: ['document'],
    thinking: 'none',
  },
  { ...claude, base: 'anthropic.claude-3-7-sonnet-20250219', displayName: 'Claude Sonnet 3.7' },
  { ...claude, base: 'anthropic.claude-sonnet-4-20250514', displayName: 'Claude Sonnet 4' },
  { ...claude, base: 'anthropic.claude-opus-4-20250514', displayName: 'Claude Opus 4', maxOutputTokens: 32_000 },
  {
    ...claude,
    base: 'anthropic.claude-opus-4-1-20250805',
    displayName: 'Claude Opus 4.1',
    maxOutputTokens: 32_000,
    sampling: 'one',
  },
  { ...claude45, base: 'anthropic.claude-sonnet-4-5-20250929', displayName: 'Claude Sonnet 4.5' },
  { ...claude45, base: 'anthropic.claude-haiku-4-5-20251001', displayName: 'Claude Haiku 4.5' },
  { ...claude45, base: 'anthropic.claude-opus-4-5-20251101', displayName: 'Claude Opus 4.5' },
  {
    ...claude45,
    base: 'anthropic.claude-sonnet-4-6',
    suffix: '',
    displayName: 'Claude Sonnet 4.6',
    contextTokens: 1_000_000,
    thinking: 'budget-or-adaptive',
    prefill: false,
  },
  {
    ...claude45,
    base: 'anthropic.claude-opus-4-6',
    suffix: '-v1',
    displayName: 'Claude Opus 4.6',
    contextTokens: 1_000_000,
    maxOutputTokens: 128_000,
    thinking: 'budget-or-adaptive',
    prefill: false,
    countTokens: false,
  },
  { ...claude47, base: 'anthropic.claude-opus-4-7', displayName: 'Claude Opus 4.7' },
  {
    ...claude47,
    base: 'anthropic.claude-opus-4-8',
    displayName: 'Claude Opus 4.8',
    structuredOutput: true,
    betas: claudeBetas,
  },
  { ...claude5, base: 'anthropic.claude-opus-5', displayName: 'Claude Opus 5' },
  { ...claudeFree, base: 'anthropic.claude-opus-5-5', displayName: 'Claude Opus 5.5' },
  { ...claude5, base: 'anthropic.claude-sonnet-5', displayName: 'Claude Sonnet 5', structuredOutput: true },
  { ...claudeFree, base: 'anthropic.claude-sonnet-5-5', displayName: 'Claude Sonnet 5.5', structuredOutput: true },
  {
    ...claude5,
    base: 'anthropic.claude-haiku-5-5',
    displayName: 'Claude Haiku 5.5',
    structuredOutput: true,
    forcesToolsThinking: true,
  },
  { ...claude5, base: 'anthropic.claude-fable-5', displayName: 'Claude Fable 5', thinkingOff: 'never' },
  { ...claudeFree, base: 'anthropic.claude-fable-5-1', displayName: 'Claude Fable 5.1' },
  { ...claudeFree, base: 'anthropic.claude-mythos-5-1', displayName: 'Claude Mythos 5.1', structuredOutput: true },
  // A Claude that came later: as the newest are, with no flag of beta.
  { ...claudeFree, base: 'anthropic.claude-', suffix: null, displayName: 'Claude', betas: [] },
  { ...nova, base: 'amazon.nova-micro', displayName: 'Nova Micro', contextTokens: 128_000, reads: [] },
  { ...nova, base: 'amazon.nova-lite', displayName: 'Nova Lite' },
  { ...nova, base: 'amazon.nova-pro', displayName: 'Nova Pro' },
  { ...nova, base: 'amazon.nova-premier', displayName: 'Nova Premier', contextTokens: 1_000_000, profileOnly: true },
  {
    ...nova,
    base: 'amazon.nova-2-lite',
    displayName: 'Nova 2 Lite',
    contextTokens: 1_000_000,
    maxOutputTokens: 64_000,
    thinking: 'nova',
    profileOnly: true,
    source: reports('stdapi.ai 7', 'vercel/ai 10839'),
  },
  {
    ...open('openai.gpt-oss-120b', 'gpt-oss 120B', 128_000, 16_384),
    suffix: '-1:0',
    thinking: 'effort',
    thinkingOff: 'never',
    toolChoices: ['auto', 'any', 'tool'],
  },
  {
    ...open('openai.gpt-oss-20b', 'gpt-oss 20B', 128_000, 16_384),
    suffix: '-1:0',
    thinking: 'effort',
    thinkingOff: 'never',
    toolChoices: ['auto', 'any', 'tool'],
  },
  {
    ...open('openai.gpt-6', 'GPT-6', 922_000, 128_000),
    thinking: 'effort-object',
    thinkingOff: 'disabled',
    reads: ['image'],
    toolChoices: ['auto', 'any', 'tool'],
    source: reports('stdapi.ai 283'),
  },
  { ...open('deepseek.r1', 'DeepSeek R1', 128_000, 8192), thinking: 'always', thinkingOff: 'never', toolChoices: [] },
  open('deepseek.v3', 'DeepSeek V3', 128_000, 8192),
  open('qwen.qwen3', 'Qwen3', 32_768, 8192),
  open('meta.llama3-3-70b', 'Llama 3.3 70B', 128_000, 4096),
  { ...open('meta.llama4', 'Llama 4', 1_000_000, 8192), reads: ['image'], profileOnly: true },
  open('mistral.mistral-large', 'Mistral Large', 128_000, 8191),
  open('moonshotai.kimi-k3', 'Kimi K3', 868_928, 131_072),
  open('zai.glm-5', 'GLM 5', 200_000, 128_000),
];

/** The row of a foundation model; null: nobody knows which it is. */
export function capabilityRow(base: string | null): CapabilityRow {
  const matches = capabilityTable.filter((row) => base?.startsWith(row.base));
  return matches.sort((a, b) => b.base.length - a.base.length)[0] ?? carefulRow;
}
