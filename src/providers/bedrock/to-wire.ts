import type {
  ContentBlock,
  ConverseStreamCommandInput,
  InferenceConfiguration,
  Tool,
  ToolConfiguration,
  ToolChoice as WireToolChoice,
} from '@aws-sdk/client-bedrock-runtime';
import type { ChatInput, ChatRequest, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';
import { createToolNames, type ToolNames } from '../messages/tool-names.ts';
import { planCachePoints } from './cache-points.ts';
import type { CapabilityRow } from './capability-table.ts';
import { mostNameCharacters, type Piece, toConverseHistory } from './history.ts';
import { bedrockExtra, ownFields } from './own-fields.ts';
import { isBlank } from './parts.ts';
import { type ThinkingFields, thinkingFields } from './thinking.ts';

/** A request as Bedrock takes it, and what is needed to read its answer. */
export interface WireRequest {
  input: ConverseStreamCommandInput;
  toolNames: ToolNames;
  /** What of the request is not honoured. */
  warnings: Warning[];
}

type Chat = Extract<ChatInput, { type: 'chat' }>;
type Warn = (field: string, message: string) => void;

/**
 * Most tokens of an answer for which the request names no bound. Bedrock takes the bound off the quota before it begins,
 * so the model's own bound would throttle everybody.
 */
const defaultMaxTokens = 16_384;

/**
 * A request of the core for Converse. Pure. `modelId`: what is asked; `row`: what the model behind it takes; `provider`: our
 * own id. Every field is sent, refused with its path, or named in `warnings`.
 */
export function toWire(
  request: ChatRequest,
  model: { modelId: string; row: CapabilityRow; provider: string; maxOutputTokens: number | null },
): WireRequest {
  const warnings: Warning[] = [];
  const warn: Warn = (field, message) => warnings.push({ field, message });
  const { row } = model;
  const chat = chatOf(request);
  refuseWhatNoModelHas(request, row);
  warnOfWhatNoModelHas(request, warn);

  const toolNames = createToolNames(chat, mostNameCharacters);
  const toolsAsText = chat.toolChoice.type === 'none' || row.toolChoices.length === 0;
  const history = toConverseHistory(chat.messages, {
    row,
    provider: model.provider,
    toolNames,
    toolsAsText,
    continuesLast: chat.continuesLast ?? false,
  });
  warnings.push(...history.warnings);
  const maxTokens = boundOf(request, model.maxOutputTokens ?? row.maxOutputTokens, warn);
  const thinking = thinkingFields(request.reasoning, row, maxTokens, warn);
  const tools = toolsAsText ? [] : toolPieces(chat, history.calledTools, toolNames, warn);
  const choice = tools.length === 0 ? null : choiceOf(chat, row, toolNames, thinking.isOn);
  const pinned = request.promptCache === 'pin' ? lastPiece(history.turns) : null;
  if (pinned) pinned.mark ??= { ttlSeconds: null };

  const pieces = [...tools, ...history.system, ...history.turns.flatMap((turn) => turn.pieces)];
  const noMarks = request.promptCache === 'none';
  const plan = planCachePoints(noMarks ? [] : pieces, row.cache);
  warnings.push(...plan.warnings);
  const withPoints = <Block>(all: readonly Piece<Block>[]): Block[] =>
    all.flatMap((piece) => {
      const cachePoint = plan.points.get(piece);
      return cachePoint === undefined ? [piece.block] : [piece.block, { cachePoint } as Block];
    });

  const own = ownFields(request, row, chat, { ...thinking, hasTools: tools.length > 0 }, warn);
  const system = withPoints(history.system);
  const input: ConverseStreamCommandInput = {
    modelId: model.modelId,
    messages: history.turns.map(({ role, pieces: all }) => ({ role, content: withPoints<ContentBlock>(all) })),
    ...(system.length > 0 && { system }),
    inferenceConfig: inferenceOf(request, row, maxTokens, thinking, warn),
    ...(tools.length > 0 && {
      toolConfig: { tools: withPoints<Tool>(tools), ...(choice && { toolChoice: choice }) } satisfies ToolConfiguration,
    }),
    ...own,
    ...formatOf(request, row, thinking.effort),
    // Converse does not tell which stop string it was unless it is asked to.
    ...(request.stop.length > 0 && { additionalModelResponseFieldPaths: ['/delta/stop_sequence'] }),
    ...bedrockExtra(request, own, warn),
  };
  return { input, toolNames, warnings };
}

function chatOf({ input }: ChatRequest): Chat {
  if (input.type === 'text') {
    throw new AppError('not_supported', 'Bedrock answers conversations, and does not continue bare text.', {
      field: 'input',
    });
  }
  if (input.template !== undefined) {
    throw new AppError('not_supported', 'Bedrock has no chat templates.', { field: 'input.template' });
  }
  return input;
}

/** What would make another answer than the one that was asked for. */
function refuseWhatNoModelHas(request: ChatRequest, row: CapabilityRow): void {
  const refuse = (field: string, what: string): never => {
    throw new AppError('not_supported', what, { field });
  };
  if ((request.choices ?? 1) > 1) refuse('choices', 'Bedrock gives one answer to a request.');
  if (request.logprobs) refuse('logprobs', 'Bedrock tells no log probabilities.');
  if (request.maxTokens === 0) refuse('maxTokens', 'Bedrock generates at least one token.');
  const format = request.format?.type ?? 'text';
  if (format === 'text' || (format === 'json-schema' && row.structuredOutput)) return;
  refuse('format', `This model cannot be held to ${format === 'grammar' ? 'a grammar' : 'JSON of this kind'}.`);
}

/** What changes how an answer is made, and not what it is. */
function warnOfWhatNoModelHas(request: ChatRequest, warn: Warn): void {
  if (request.returnsTokens) warn('returnsTokens', 'Bedrock does not tell tokens.');
  const { sampling, input } = request;
  const unknown = [
    'minP',
    'typicalP',
    'seed',
    'repeatPenalty',
    'frequencyPenalty',
    'presencePenalty',
    'penaltyTokens',
    'logitBias',
    'ignoreEnd',
    'minTokens',
    'xtc',
    'dry',
  ] as const;
  for (const name of unknown) {
    if (sampling[name] !== undefined) warn(`sampling.${name}`, 'Bedrock has no such choice of tokens.');
  }
  if (request.keepAliveMs !== undefined) warn('keepAliveMs', 'Models on Bedrock are always there.');
  if (request.prediction !== undefined) warn('prediction', 'Bedrock takes no guesses.');
  if (input.type === 'chat' && input.templateOptions) warn('input.templateOptions', 'Bedrock has no chat templates.');
}

function boundOf({ maxTokens }: ChatRequest, most: number | null, warn: Warn): number {
  if (maxTokens === undefined) return Math.min(defaultMaxTokens, most ?? 4096);
  if (most === null || maxTokens <= most) return maxTokens;
  warn('maxTokens', `This model generates at most ${most} tokens.`);
  return most;
}

function inferenceOf(
  request: ChatRequest,
  row: CapabilityRow,
  maxTokens: number,
  thinking: ThinkingFields,
  warn: Warn,
): InferenceConfiguration {
  const { sampling, stop } = request;
  const stopSequences = stop.filter((text, index) => {
    if (isBlank(text)) warn(`stop.${index}`, 'Bedrock refuses white space as a stop string.');
    return !isBlank(text);
  });
  const stopping = stopSequences.length > 0 && { stopSequences };
  if (!thinking.isUnbounded) return { maxTokens, ...samplingOf(sampling, row, thinking.isOn, warn), ...stopping };
  const given = {
    maxTokens: request.maxTokens,
    'sampling.temperature': sampling.temperature,
    'sampling.topP': sampling.topP,
  };
  for (const [field, value] of Object.entries(given)) {
    if (value !== undefined) warn(field, 'Nova takes no bounds and no sampling while it thinks its hardest.');
  }
  return { ...stopping };
}

/** Temperature and top-p; a value that the model would refuse is named instead of sent. */
function samplingOf(
  { temperature, topP }: ChatRequest['sampling'],
  row: CapabilityRow,
  thinks: boolean,
  warn: Warn,
): Pick<InferenceConfiguration, 'temperature' | 'topP'> {
  const given = { ...(temperature !== undefined && { temperature }), ...(topP !== undefined && { topP }) };
  if (row.sampling === 'none' || (thinks && row.nativeMessages)) {
    for (const name of Object.keys(given)) {
      warn(
        `sampling.${name}`,
        thinks ? 'Claude chooses for itself while it thinks.' : 'This model chooses for itself.',
      );
    }
    return {};
  }
  if (row.sampling === 'one' && temperature !== undefined && topP !== undefined) {
    warn('sampling.topP', 'This model takes a temperature or top-p, not both.');
    delete given.topP;
  }
  if (given.temperature !== undefined && given.temperature > 1) {
    warn('sampling.temperature', 'Bedrock takes a temperature of at most 1.');
    given.temperature = 1;
  }
  return given;
}

/** The tools that may be called (others are left out, which is the only way to forbid them); where the request names none, stubs of those that its history calls. */
function toolPieces(chat: Chat, called: readonly string[], names: ToolNames, warn: Warn): Piece<Tool>[] {
  const { toolChoice } = chat;
  const offered = chat.tools.flatMap((tool, index) => {
    const isAllowed = toolChoice.type !== 'allowed' || toolChoice.names.includes(tool.name);
    return isAllowed ? [toolPiece(tool, `input.tools.${index}`, names, warn)] : [];
  });
  if (offered.length > 0) return offered;
  return called.map((name) =>
    toolPiece({ name, description: 'Used earlier; not available now.' }, 'input.tools', names, warn),
  );
}

function toolPiece(tool: ToolDefinition, path: string, names: ToolNames, warn: Warn): Piece<Tool> {
  for (const [dialect, fields] of Object.entries(tool.extra ?? {})) {
    for (const name of Object.keys(fields)) warn(`${path}.extra.${dialect}.${name}`, 'Bedrock has no such field.');
  }
  const { description, strict } = tool;
  const json = { type: 'object', properties: {}, ...tool.parameters };
  return {
    path,
    place: 'tools',
    mark: tool.cacheMark ?? null,
    mayBeMarked: true,
    block: {
      toolSpec: {
        name: names.toWire(tool.name),
        ...(description !== undefined && !isBlank(description) && { description }),
        inputSchema: { json: json as NonNullable<ConverseStreamCommandInput['additionalModelRequestFields']> },
        ...(strict !== undefined && { strict }),
      },
    },
  };
}

function choiceOf(
  { toolChoice, tools }: Chat,
  row: CapabilityRow,
  names: ToolNames,
  thinks: boolean,
): WireToolChoice | null {
  const choice = narrow(toolChoice, names);
  if (choice === null || tools.length === 0) return null;
  const kind = Object.keys(choice)[0] as 'any' | 'tool';
  if (!row.toolChoices.includes(kind)) {
    throw new AppError('not_supported', 'This model cannot be made to call a tool.', { field: 'input.toolChoice' });
  }
  if (thinks && !row.forcesToolsThinking && row.nativeMessages) {
    throw new AppError('invalid_request', 'Claude cannot be made to call a tool while it thinks.', {
      field: 'input.toolChoice',
      fix: 'Switch thinking off, or let it choose.',
    });
  }
  return choice;
}

/** Null: as the model likes, which needs no word. */
function narrow(choice: Chat['toolChoice'], names: ToolNames): WireToolChoice | null {
  switch (choice.type) {
    case 'required':
      return { any: {} };
    case 'tool':
      return { tool: { name: names.toWire(choice.name) } };
    case 'allowed':
      if (choice.mode === 'auto') return null;
      return choice.names.length === 1 ? { tool: { name: names.toWire(choice.names[0]!) } } : { any: {} };
    default:
      return null;
  }
}

function formatOf(
  { format }: ChatRequest,
  row: CapabilityRow,
  effort: string | null,
): Pick<ConverseStreamCommandInput, 'outputConfig'> {
  const textFormat =
    format?.type === 'json-schema' && row.structuredOutput
      ? {
          type: 'json_schema' as const,
          // Converse wants the schema as text; a schema that is text already is not made a text of a text.
          structure: {
            jsonSchema: {
              schema: typeof format.schema === 'string' ? format.schema : JSON.stringify(format.schema),
              name: format.name ?? 'answer',
              ...(format.description !== undefined && { description: format.description }),
            },
          },
        }
      : null;
  if (textFormat === null && effort === null) return {};
  return { outputConfig: { ...(textFormat && { textFormat }), ...(effort !== null && { effort }) } };
}

function lastPiece(turns: readonly { pieces: Piece<ContentBlock>[] }[]): Piece<ContentBlock> | undefined {
  return turns.at(-1)?.pieces.at(-1);
}
