import type { ProviderConfig } from '../../config/providers.ts';

/** Words of `thinking.type`. */
export type ThinkingMode = 'adaptive' | 'enabled' | 'disabled' | 'between_tools';
export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** What a model takes. Whatever is not in its row is refused by us, or left out with a warning: upstream it is a 400. */
export interface ModelRow {
  /** Without the date of a snapshot. */
  id: string;
  displayName: string;
  /** Null: unknown. */
  contextTokens: number | null;
  maxOutputTokens: number | null;
  /** Values of `thinking.type` that are accepted. */
  thinking: readonly ThinkingMode[];
  /** Levels of `output_config.effort`; empty: it takes none. */
  efforts: readonly Effort[];
  /** `one`: `temperature` or `top_p`, not both; `none`: their defaults only. Under API version 2026-10-21 no model takes any. */
  sampling: 'one' | 'none';
  /** Whether an answer can go on where a last turn of the assistant ends. */
  prefill: boolean;
  /** Whether `tool_choice` may be `any` or `tool`, at least without a budget of thinking. */
  forcedTools: boolean;
  /** Whether `system` messages may stand between turns. */
  systemInside: boolean;
  /** `output_config.format` and strict tools. */
  structuredOutput: boolean;
  images: boolean;
  tools: boolean;
}

/** Of every model of the API: most cache marks of a request, their lifetimes, and what a document may be. */
export const cacheMarks = { most: 4, ttlSeconds: [300, 3600] } as const;
export const documentTypes = ['application/pdf', 'text/plain'] as const;
export const imageTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;

/** When the rows were read, and where. */
export const tableSource = {
  readOn: '2026-11-29',
  from: [
    'https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting',
    'https://platform.claude.com/docs/en/build-with-claude/effort',
    'https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages',
    'https://platform.claude.com/docs/en/models (overviews, "what is new" and migration guides of each model)',
    'the list of models of @anthropic-ai/sdk 1.14.0',
  ],
} as const;

const allEfforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

/** Claude 5.x: thinks adaptively, takes neither sampling nor a prefill. */
const five: Omit<ModelRow, 'id' | 'displayName'> = {
  contextTokens: 1_000_000,
  maxOutputTokens: 128_000,
  thinking: ['adaptive'],
  efforts: allEfforts,
  sampling: 'none',
  prefill: false,
  forcedTools: true,
  systemInside: true,
  structuredOutput: true,
  images: true,
  tools: true,
};

/** Claude 4.6: the last that takes a budget, and sampling. */
const fourSix: typeof five = {
  ...five,
  thinking: ['adaptive', 'enabled', 'disabled'],
  efforts: ['low', 'medium', 'high', 'max'],
  sampling: 'one',
  systemInside: false,
};

/** Claude 4.5 and before: thinks by budget only, and takes a prefill. */
const fourFive: typeof five = {
  ...five,
  contextTokens: 200_000,
  maxOutputTokens: 64_000,
  thinking: ['enabled', 'disabled'],
  efforts: [],
  sampling: 'one',
  prefill: true,
  systemInside: false,
};

export const modelTable: readonly ModelRow[] = [
  { ...five, id: 'claude-fable-5-2', displayName: 'Claude Fable 5.2', forcedTools: false },
  { ...five, id: 'claude-mythos-5-2', displayName: 'Claude Mythos 5.2', forcedTools: false },
  { ...five, id: 'claude-fable-5-1', displayName: 'Claude Fable 5.1', forcedTools: false },
  { ...five, id: 'claude-mythos-5-1', displayName: 'Claude Mythos 5.1', forcedTools: false },
  { ...five, id: 'claude-fable-5', displayName: 'Claude Fable 5' },
  { ...five, id: 'claude-mythos-5', displayName: 'Claude Mythos 5' },
  { ...five, id: 'claude-opus-5-5', displayName: 'Claude Opus 5.5', forcedTools: false },
  {
    ...five,
    id: 'claude-sonnet-5-5',
    displayName: 'Claude Sonnet 5.5',
    thinking: ['adaptive', 'between_tools'],
    forcedTools: false,
  },
  { ...five, id: 'claude-haiku-5-5', displayName: 'Claude Haiku 5.5', thinking: ['adaptive', 'disabled'] },
  { ...five, id: 'claude-opus-5', displayName: 'Claude Opus 5', thinking: ['adaptive', 'disabled'] },
  {
    ...five,
    id: 'claude-sonnet-5',
    displayName: 'Claude Sonnet 5',
    thinking: ['adaptive', 'disabled'],
    systemInside: false,
  },
  { ...five, id: 'claude-opus-4-8', displayName: 'Claude Opus 4.8', thinking: ['adaptive', 'disabled'] },
  {
    ...five,
    id: 'claude-opus-4-7',
    displayName: 'Claude Opus 4.7',
    thinking: ['adaptive', 'disabled'],
    systemInside: false,
  },
  { ...fourSix, id: 'claude-opus-4-6', displayName: 'Claude Opus 4.6' },
  { ...fourSix, id: 'claude-sonnet-4-6', displayName: 'Claude Sonnet 4.6' },
  { ...fourFive, id: 'claude-opus-4-5', displayName: 'Claude Opus 4.5', efforts: ['low', 'medium', 'high'] },
  { ...fourFive, id: 'claude-sonnet-4-5', displayName: 'Claude Sonnet 4.5' },
  { ...fourFive, id: 'claude-haiku-4-5', displayName: 'Claude Haiku 4.5' },
  {
    ...fourFive,
    id: 'claude-opus-4-1',
    displayName: 'Claude Opus 4.1',
    maxOutputTokens: 32_000,
    structuredOutput: false,
  },
  { ...fourFive, id: 'claude-sonnet-4', displayName: 'Claude Sonnet 4', structuredOutput: false },
];

/**
 * A model that nobody has told us of: most likely a newer one, so it has what all new ones have, and nothing that one of
 * them refuses. The file's `capabilities` say more.
 */
const careful: ModelRow = {
  ...five,
  id: '',
  displayName: '',
  contextTokens: null,
  maxOutputTokens: null,
  efforts: ['low', 'medium', 'high'],
  systemInside: false,
};

/** `-20250929`, `@20250929` or `-latest` behind the id of a row. */
const snapshot = /^([-@]\d{8}|-latest|-0)?$/;

/** The row of an id, however a gateway before the API spells it (`anthropic/claude-opus-4.6`); null: it has none. */
export function knownRow(id: string): ModelRow | null {
  const plain = id.slice(id.lastIndexOf('/') + 1).replaceAll('.', '-');
  return modelTable.find((row) => plain.startsWith(row.id) && snapshot.test(plain.slice(row.id.length))) ?? null;
}

/** What a model takes, as far as the table knows. */
export function rowOf(id: string): ModelRow {
  return knownRow(id) ?? { ...careful, id, displayName: id };
}

/** The same with the words of the provider's section of the file (`sampling`, `prefill`, …), which say it last. */
export function asTheFileSays(row: ModelRow, { capabilities }: Pick<ProviderConfig, 'capabilities'>): ModelRow {
  const { sampling } = capabilities;
  return {
    ...row,
    ...(sampling !== undefined && { sampling: sampling ? ('one' as const) : ('none' as const) }),
    prefill: capabilities['prefill'] ?? row.prefill,
    forcedTools: capabilities['forced_tools'] ?? row.forcedTools,
    structuredOutput: capabilities['structured_output'] ?? row.structuredOutput,
    images: capabilities['supports_vision'] ?? capabilities['vision'] ?? row.images,
    tools: capabilities['supports_function_calling'] ?? row.tools,
  };
}
