import type { ConverseStreamCommandInput, ServiceTierType } from '@aws-sdk/client-bedrock-runtime';
import type { ChatInput, ChatRequest } from '../../core/chat.ts';
import { betasOf } from './betas.ts';
import type { CapabilityRow } from './capability-table.ts';

type Warn = (field: string, message: string) => void;
type OwnFields = Pick<ConverseStreamCommandInput, 'additionalModelRequestFields' | 'requestMetadata' | 'serviceTier'>;
type DocumentValue = NonNullable<ConverseStreamCommandInput['additionalModelRequestFields']>;

/** What a request says beside the conversation: the model's own fields, labels, the class of service. */
export function ownFields(
  request: ChatRequest,
  row: CapabilityRow,
  chat: Extract<ChatInput, { type: 'chat' }>,
  thinking: { fields: Record<string, unknown>; isOn: boolean; hasTools: boolean },
  warn: Warn,
): OwnFields {
  const betas = row.nativeMessages ? betasOf(request.original?.headers['anthropic-beta'], [], row, warn) : [];
  const fields = {
    ...topKField(request, row, thinking.isOn, warn),
    ...thinking.fields,
    ...parallelField(chat, row, thinking.hasTools, warn),
    ...(betas.length > 0 && { anthropic_beta: betas }),
  };
  const labels = labelsOf(request, warn);
  return {
    ...(Object.keys(fields).length > 0 && { additionalModelRequestFields: fields as DocumentValue }),
    ...(Object.keys(labels).length > 0 && { requestMetadata: labels }),
    ...tierOf(request, warn),
  };
}

function topKField(
  { sampling }: ChatRequest,
  row: CapabilityRow,
  thinks: boolean,
  warn: Warn,
): Record<string, unknown> {
  const { topK } = sampling;
  if (topK === undefined || topK === 0) return {};
  if (row.topK === null || (thinks && row.thinking !== 'none')) {
    warn('sampling.topK', 'This model takes no top-k.');
    return {};
  }
  return row.topK === 'nova' ? { inferenceConfig: { topK } } : { top_k: topK };
}

function parallelField(
  { parallelToolCalls, toolChoice }: Extract<ChatInput, { type: 'chat' }>,
  row: CapabilityRow,
  hasTools: boolean,
  warn: Warn,
): Record<string, unknown> {
  if (parallelToolCalls !== false || !hasTools) return {};
  const isFree = toolChoice.type === 'auto' || (toolChoice.type === 'allowed' && toolChoice.mode === 'auto');
  // Beside a forced choice of Converse a second one of Anthropic's is refused as a contradiction.
  if (row.nativeToolChoice && isFree) return { tool_choice: { type: 'auto', disable_parallel_tool_use: true } };
  warn('input.parallelToolCalls', 'This model may make several calls in one turn.');
  return {};
}

const label = /^[a-zA-Z0-9\s:_@$#=/+,.-]*$/;

/** Labels for the log of invocations; the person behind the client among them. */
function labelsOf({ metadata, endUserId }: ChatRequest, warn: Warn): Record<string, string> {
  const labels: Record<string, string> = {};
  const enter = (field: string, name: string, value: string) => {
    const fits = name !== '' && [name, value].every((text) => text.length <= 256 && label.test(text));
    if (fits && Object.keys(labels).length < 16) labels[name] = value;
    else warn(field, 'Bedrock takes 16 labels of 256 plain characters.');
  };
  if (endUserId !== undefined) enter('endUserId', 'end_user_id', endUserId);
  for (const [name, value] of Object.entries(metadata ?? {})) enter(`metadata.${name}`, name, value);
  return labels;
}

const tiers: Readonly<Record<string, ServiceTierType | null>> = {
  auto: null,
  default: 'default',
  standard_only: 'default',
  flex: 'flex',
  priority: 'priority',
  reserved: 'reserved',
};

function tierOf({ serviceTier }: ChatRequest, warn: Warn): Pick<OwnFields, 'serviceTier'> {
  if (serviceTier === undefined) return {};
  const type = tiers[serviceTier];
  if (type === undefined) warn('serviceTier', 'Bedrock has no such class of service.');
  return type ? { serviceTier: { type } } : {};
}

/** Fields of Converse that travel as they are. */
const passed = ['guardrailConfig', 'performanceConfig', 'promptVariables'] as const;

/**
 * What a client that knows Bedrock has asked for in its own words: its fields of the model are added to ours. Fields of
 * other dialects are named.
 */
export function bedrockExtra(request: ChatRequest, own: OwnFields, warn: Warn): Partial<ConverseStreamCommandInput> {
  const { bedrock = {}, ...others } = request.extra ?? {};
  for (const [dialect, fields] of Object.entries(others)) {
    for (const name of Object.keys(fields)) warn(`extra.${dialect}.${name}`, 'Bedrock has no such field.');
  }
  const { additionalModelRequestFields, requestMetadata, ...rest } = bedrock;
  for (const name of Object.keys(rest)) {
    if (!(passed as readonly string[]).includes(name)) warn(`extra.bedrock.${name}`, 'Converse has no such field.');
  }
  return {
    ...Object.fromEntries(passed.flatMap((name) => (rest[name] === undefined ? [] : [[name, rest[name]]]))),
    ...(isObject(additionalModelRequestFields) && {
      additionalModelRequestFields: {
        ...(own.additionalModelRequestFields as object),
        ...additionalModelRequestFields,
      },
    }),
    ...(isObject(requestMetadata) && { requestMetadata: { ...own.requestMetadata, ...requestMetadata } }),
  } as Partial<ConverseStreamCommandInput>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
