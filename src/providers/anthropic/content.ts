import type { Anthropic } from '@anthropic-ai/sdk';
import type { ChatMessage } from '../../core/chat.ts';
import type {
  AssistantPart,
  ContentPart,
  DocumentPart,
  ImagePart,
  Marked,
  OpaquePart,
  ReasoningPart,
  TextPart,
  ToolResultPart,
  UserPart,
} from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';
import { isObject } from '../messages/json.ts';
import { type ToolNames, toWireId } from '../messages/tool-names.ts';
import { documentTypes, imageTypes, type ModelRow } from './model-table.ts';

/** Of names of tools and of ids of calls, each of letters, digits, `_` and `-`. */
export const mostNameCharacters = 128;

type Block = Anthropic.ContentBlockParam;
type Message = Anthropic.MessageParam;
type ResultContent = Anthropic.TextBlockParam | Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam;

/** What the parts of a conversation are mapped by. */
export interface ContentRules {
  row: ModelRow;
  /** Whose thoughts may go back: another provider's or model's are worth nothing there, and are refused. */
  origin: { provider: string; model: string };
  names: ToolNames;
  /** Left out where the client wants nothing kept. */
  keepsMarks: boolean;
  warn(field: string, message: string): void;
}

/** The conversation as the API has it. Throws `not_supported` for a part that it cannot hold, by the part's path. */
export function toConversation(
  messages: readonly ChatMessage[],
  rules: ContentRules,
): { system: Anthropic.TextBlockParam[]; messages: Message[] } {
  const firstTurn = messages.findIndex(({ role }) => role !== 'system');
  const leading = firstTurn === -1 ? messages.length : firstTurn;
  const system = messages
    .slice(0, leading)
    .flatMap((message, index) => systemBlocks(message, `input.messages.${index}`, rules));
  const out: Message[] = [];
  for (let index = leading; index < messages.length; index++) {
    const message = messages[index]!;
    const field = `input.messages.${index}`;
    if (message.role === 'system') {
      addSystemInside(out, systemBlocks(message, field, rules), messages[index + 1], field, rules);
    } else if (message.role === 'user') addUser(out, userBlocks(message, field, rules));
    else {
      const content = markLast(assistantBlocks(message.content, field, rules), message, rules);
      if (content.length > 0) out.push({ role: 'assistant', content });
    }
  }
  return { system, messages: out };
}

/** A turn that system texts were put into already gets its results in front of them: nothing may stand between a call and those. */
function addUser(out: Message[], content: Block[]): void {
  const last = out.at(-1);
  if (last?.role === 'user' && foldedSystem.has(last) && Array.isArray(last.content)) {
    last.content = resultsFirst([...last.content, ...content]);
  } else out.push({ role: 'user', content });
}

/** User turns that were made of system messages, while they are built. */
const foldedSystem = new WeakSet<Message>();

/**
 * A system message between turns stands behind a user's turn and in front of an assistant's or the end, where the model takes
 * it at all; anywhere else its text goes into the user's turn.
 */
function addSystemInside(
  out: Message[],
  blocks: Anthropic.TextBlockParam[],
  next: ChatMessage | undefined,
  field: string,
  { row, warn }: ContentRules,
): void {
  if (blocks.length === 0) return;
  const last = out.at(-1);
  const isPlaced = (last?.role === 'user' || last?.role === 'system') && (next === undefined || next.role !== 'user');
  if (row.systemInside && isPlaced) {
    out.push({ role: 'system', content: blocks });
    return;
  }
  warn(field, `It is sent as part of the user's turn: ${row.displayName} takes no system message there.`);
  const texts = blocks.map((block) => ({ ...block, text: `<system>\n${block.text}\n</system>` }));
  if (last?.role === 'user' && Array.isArray(last.content)) last.content = [...last.content, ...texts];
  else {
    const turn: Message = { role: 'user', content: texts };
    foldedSystem.add(turn);
    out.push(turn);
  }
}

function systemBlocks(message: ChatMessage, field: string, rules: ContentRules): Anthropic.TextBlockParam[] {
  const blocks = (message.content as readonly ContentPart[]).flatMap((part, index) =>
    part.type === 'text' ? textBlocks(part, false, rules) : refusePart(part, `${field}.content.${index}`),
  );
  return markLast(blocks, message, rules) as Anthropic.TextBlockParam[];
}

function userBlocks(message: Extract<ChatMessage, { role: 'user' }>, field: string, rules: ContentRules): Block[] {
  const blocks = message.content.flatMap((part, index) => userBlock(part, `${field}.content.${index}`, rules));
  // The API refuses blank texts and empty turns, and a turn cannot be left out: the next one would answer another.
  const content: Block[] = blocks.length > 0 ? blocks : [{ type: 'text', text: '(empty)' }];
  return markLast(resultsFirst(content), message, rules);
}

/** Results of tools come before anything else of their turn. */
function resultsFirst(blocks: Block[]): Block[] {
  const isResult = ({ type }: Block) => type === 'tool_result';
  return [...blocks.filter(isResult), ...blocks.filter((block) => !isResult(block))];
}

function userBlock(part: UserPart, field: string, rules: ContentRules): Block[] {
  switch (part.type) {
    case 'text':
      return textBlocks(part, false, rules);
    case 'image':
      return [imageBlock(part, field, rules)];
    case 'document':
      return [documentBlock(part, field, rules)];
    case 'tool-result':
      return [resultBlock(part, field, rules)];
    case 'opaque':
      return [ownBlock(part, field, rules)];
  }
}

function assistantBlocks(parts: readonly AssistantPart[], field: string, rules: ContentRules): Block[] {
  return parts.flatMap((part, index) => assistantBlock(part, `${field}.content.${index}`, rules));
}

function assistantBlock(part: AssistantPart, field: string, rules: ContentRules): Block[] {
  switch (part.type) {
    case 'text':
      return textBlocks(part, true, rules);
    case 'reasoning':
      return thoughtBlocks(part, rules);
    case 'tool-call': {
      const { id, name, arguments: input } = part;
      const call = { id: toWireId(id, mostNameCharacters), name: rules.names.toWire(name), input };
      return [{ type: 'tool_use', ...call, ...extraOf(part), ...marksOf(part, rules) }];
    }
    case 'opaque':
      return [ownBlock(part, field, rules)];
    case 'image':
      return refusePart(part, field);
  }
}

/** A block of the API itself, which goes back as it came. */
function ownBlock(part: OpaquePart, field: string, rules: ContentRules): Block {
  if (part.dialect !== 'anthropic' || !isObject(part.block)) return refusePart(part, field);
  return { ...part.block, ...marksOf(part, rules) } as unknown as Block;
}

/** Blank texts are refused upstream and say nothing. Only an assistant's text may cite, and only what the API itself cited. */
function textBlocks(part: TextPart, mayCite: boolean, rules: ContentRules): Anthropic.TextBlockParam[] {
  if (part.text.trim() === '') return [];
  const citations = mayCite
    ? (part.citations ?? []).filter(({ dialect }) => dialect === 'anthropic').map(({ raw }) => raw)
    : [];
  return [
    {
      type: 'text',
      text: part.text,
      ...(citations.length > 0 && { citations: citations as Anthropic.TextCitationParam[] }),
      ...marksOf(part, rules),
    },
  ];
}

/** A thought goes back to its maker only, and only with the proof that it is one; without it is left out, which is allowed. */
function thoughtBlocks(part: ReasoningPart, { origin }: ContentRules): Block[] {
  const isForeign =
    part.origin !== null && (part.origin.provider !== origin.provider || part.origin.model !== origin.model);
  if (isForeign) return [];
  if (part.redactedData !== null) return [{ type: 'redacted_thinking', data: part.redactedData }];
  if (part.signature === null || part.signature === '') return [];
  return [{ type: 'thinking', thinking: part.text, signature: part.signature }];
}

function imageBlock(part: ImagePart, field: string, rules: ContentRules): Anthropic.ImageBlockParam {
  if (!rules.row.images) return refusePart(part, field);
  return { type: 'image', source: imageSource(part, field), ...extraOf(part), ...marksOf(part, rules) };
}

function imageSource({ source, mediaType }: ImagePart, field: string): Anthropic.ImageBlockParam['source'] {
  if (source.type === 'url') return { type: 'url', url: source.url };
  if (source.type === 'file') return { type: 'file', file_id: source.fileId };
  const type = imageTypes.find((known) => known === mediaType);
  if (type === undefined) throw badType(field, mediaType, imageTypes);
  return { type: 'base64', media_type: type, data: source.base64 };
}

function documentBlock(part: DocumentPart, field: string, rules: ContentRules): Anthropic.DocumentBlockParam {
  return {
    type: 'document',
    source: documentSource(part, field),
    ...(part.title !== undefined && { title: part.title }),
    ...(part.context !== undefined && { context: part.context }),
    ...(part.mayBeCited !== undefined && { citations: { enabled: part.mayBeCited } }),
    ...extraOf(part),
    ...marksOf(part, rules),
  };
}

function documentSource({ source, mediaType }: DocumentPart, field: string): Anthropic.DocumentBlockParam['source'] {
  switch (source.type) {
    case 'text':
      return { type: 'text', media_type: 'text/plain', data: source.text };
    case 'url':
      return { type: 'url', url: source.url };
    case 'file':
      return { type: 'file', file_id: source.fileId };
    case 'bytes':
      if (mediaType === 'application/pdf') return { type: 'base64', media_type: mediaType, data: source.base64 };
      if (mediaType?.startsWith('text/')) {
        return { type: 'text', media_type: 'text/plain', data: Buffer.from(source.base64, 'base64').toString() };
      }
      throw badType(field, mediaType, documentTypes);
  }
}

function resultBlock(part: ToolResultPart, field: string, rules: ContentRules): Anthropic.ToolResultBlockParam {
  const content = part.content.flatMap((inner, index): ResultContent[] => {
    const at = `${field}.content.${index}`;
    if (inner.type === 'text') return textBlocks(inner, false, rules);
    return [inner.type === 'image' ? imageBlock(inner, at, rules) : documentBlock(inner, at, rules)];
  });
  return {
    type: 'tool_result',
    tool_use_id: toWireId(part.callId, mostNameCharacters),
    ...(part.isError && { is_error: true }),
    ...(content.length > 0 && { content }),
    ...extraOf(part),
    ...marksOf(part, rules),
  };
}

/** The mark of a message stands on its last block. */
function markLast<Some extends Block>(blocks: Some[], message: Marked, rules: ContentRules): Some[] {
  const marks = marksOf(message, rules);
  const last = blocks.at(-1);
  return marks.cache_control === undefined || last === undefined
    ? blocks
    : [...blocks.slice(0, -1), { ...last, ...marks }];
}

/** `cache_control` of whatever carries a mark; the API keeps for five minutes where nothing is said. */
export function marksOf(
  { cacheMark }: Marked,
  { keepsMarks }: Pick<ContentRules, 'keepsMarks'>,
): { cache_control?: Anthropic.CacheControlEphemeral } {
  if (!cacheMark || !keepsMarks) return {};
  const { ttlSeconds } = cacheMark;
  return {
    cache_control: { type: 'ephemeral', ...(ttlSeconds !== null && { ttl: ttlSeconds === 3600 ? '1h' : '5m' }) },
  };
}

/** Fields of the API itself that the core has no word for. */
export function extraOf({ extra }: Marked): object {
  return extra?.anthropic ?? {};
}

function refusePart(part: ContentPart, field: string): never {
  const what = part.type === 'opaque' ? `a block of the dialect ${part.dialect}` : `a part of the type ${part.type}`;
  throw new AppError('not_supported', `The model cannot read ${what} there.`, { field });
}

function badType(field: string, mediaType: string | null, known: readonly string[]): AppError {
  return new AppError('not_supported', `The model cannot read ${mediaType ?? 'bytes of an unknown type'}.`, {
    field,
    fix: `Send ${known.join(', ')}, or an address.`,
  });
}
