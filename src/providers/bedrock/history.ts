import type { ContentBlock, SystemContentBlock, ToolUseBlock } from '@aws-sdk/client-bedrock-runtime';
import type { ChatMessage } from '../../core/chat.ts';
import type { CacheMark, ContentPart, Marked, ToolCallPart, ToolResultPart } from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';
import { type ToolNames, toWireId } from '../messages/tool-names.ts';
import type { Markable } from './cache-points.ts';
import type { CapabilityRow } from './capability-table.ts';
import { createDocumentNamer } from './document-names.ts';
import { emptyText, isBlank, type PartRules, toDocument, toImage, toReasoning, toResultContent } from './parts.ts';

/** Of names of tools and of ids of calls, each of letters, digits, `_` and `-`. */
export const mostNameCharacters = 64;

/** What a conversation is made valid for. */
export interface HistoryRules {
  row: CapabilityRow;
  /** Id of the provider: reasoning of another origin stays here. */
  provider: string;
  toolNames: ToolNames;
  /** No tool may be called: calls and results are told as text, since tool blocks would need a `toolConfig`. */
  toolsAsText: boolean;
  /** The answer goes on where the last message ends. */
  continuesLast: boolean;
}

/** A block, and what of the request it came from; cache points are put behind such pieces. */
export interface Piece<Block> extends Markable {
  block: Block;
}

/** A conversation as Converse takes it, still without its cache points. */
export interface ConverseHistory {
  system: Piece<SystemContentBlock>[];
  turns: { role: 'user' | 'assistant'; pieces: Piece<ContentBlock>[] }[];
  /** Names of tools that the history calls, as the request has them, each once. */
  calledTools: string[];
  warnings: Warning[];
}

type Turn = ConverseHistory['turns'][number];
/** A turn on its way: calls and results are paired before they become blocks. */
interface OpenTurn {
  role: 'user' | 'assistant';
  pieces: (Piece<ContentBlock> | CallPiece | ResultPiece)[];
}
interface CallPiece extends Markable {
  call: ToolCallPart;
}
interface ResultPiece extends Markable {
  result: ToolResultPart;
}

/**
 * Makes any history one that Converse takes. Pure. Numbers as in the code:
 * 1. system messages at the head become `system`; later ones stay where they are, as marked text of the user's turn;
 * 2. blank text goes, neighbours of one role become one turn;
 * 3. in a turn of the assistant calls come last; the next turn begins with their results, in the order of the calls;
 *    a call without a result gets one that says so, a result without its call becomes text;
 * 4. no turn is empty, a document has text beside it, the first turn and (unless the answer continues) the last are the
 *    user's.
 * Throws `AppError` with the path of what cannot be sent.
 */
export function toConverseHistory(messages: readonly ChatMessage[], rules: HistoryRules): ConverseHistory {
  const warnings: Warning[] = [];
  const parts: PartRules = {
    row: rules.row,
    provider: rules.provider,
    nameDocument: createDocumentNamer(),
    warn: (field, message) => warnings.push({ field, message }),
  };
  const system: Piece<SystemContentBlock>[] = [];
  const open: OpenTurn[] = [];
  for (const [index, message] of messages.entries()) {
    const path = `input.messages.${index}`;
    warnOfExtra(message, path, parts);
    const pieces = withMarkOf(message, piecesOf(message, path, parts));
    // 1.
    if (message.role === 'system' && open.length === 0) {
      for (const piece of pieces) system.push({ ...(piece as Piece<SystemContentBlock>), place: 'system' });
      continue;
    }
    if (message.role === 'system') {
      parts.warn(path, 'A system message in mid-conversation is sent as marked text of the user.');
      markAsSystem(pieces);
    }
    // 2.
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const last = open.at(-1);
    if (last?.role === role) last.pieces.push(...pieces);
    else open.push({ role, pieces });
  }
  const turns = withCounterparts(
    rules.toolsAsText ? open.map((turn) => tellTools(turn, parts)) : pairTools(open, rules, parts),
    rules,
    parts,
  );
  return {
    system,
    turns,
    calledTools: rules.toolsAsText ? [] : [...new Set(open.flatMap(({ pieces }) => pieces.flatMap(calledName)))],
    warnings,
  };
}

function calledName(piece: OpenTurn['pieces'][number]): string[] {
  return 'call' in piece ? [piece.call.name] : [];
}

/** The parts of one message; blank text is left out, and its mark goes to what stands before it. */
function piecesOf(message: ChatMessage, path: string, rules: PartRules): OpenTurn['pieces'] {
  const pieces: OpenTurn['pieces'] = [];
  for (const [index, part] of message.content.entries()) {
    const where = `${path}.content.${index}`;
    warnOfExtra(part, where, rules);
    const piece = pieceOf(part, where, message.role, rules);
    if (piece !== null) pieces.push(piece);
    else if (part.cacheMark && pieces.length > 0) pieces.at(-1)!.mark ??= part.cacheMark;
  }
  return pieces;
}

/** One part; null: there is nothing in it. */
function pieceOf(
  part: ContentPart,
  path: string,
  role: ChatMessage['role'],
  rules: PartRules,
): OpenTurn['pieces'][number] | null {
  const marks = { path, place: 'messages' as const, mark: part.cacheMark ?? null, mayBeMarked: true };
  switch (part.type) {
    case 'text':
      if (part.citations?.length) rules.warn(`${path}.citations`, 'Citations of earlier answers are not sent again.');
      return isBlank(part.text) ? null : { ...marks, block: { text: part.text } };
    case 'image':
      if (role === 'assistant')
        throw new AppError('not_supported', 'On Bedrock only users show images.', { field: path });
      return { ...marks, block: { image: toImage(part, path, rules) } };
    case 'document':
      return { ...marks, block: { document: toDocument(part, path, rules) } };
    case 'reasoning': {
      const block = toReasoning(part, path, rules);
      return block && { ...marks, mayBeMarked: false, block };
    }
    case 'tool-call':
      return { ...marks, call: part };
    case 'tool-result':
      for (const [index, inner] of part.content.entries()) {
        warnOfExtra(inner, `${path}.content.${index}`, rules);
        // No cache point may stand inside a result, but behind it.
        if (inner.cacheMark) marks.mark ??= inner.cacheMark;
      }
      return { ...marks, result: part };
    case 'opaque':
      if (part.dialect === 'bedrock') return { ...marks, block: part.block as ContentBlock };
      throw new AppError('not_supported', `Bedrock has no such block of ${part.dialect}.`, { field: path });
  }
}

/** A mark on a message is one on its last part. */
function withMarkOf({ cacheMark }: Marked, pieces: OpenTurn['pieces']): OpenTurn['pieces'] {
  const last = pieces.at(-1);
  if (last && cacheMark) last.mark ??= cacheMark;
  return pieces;
}

function markAsSystem(pieces: OpenTurn['pieces']): void {
  for (const piece of pieces) {
    if ('block' in piece && piece.block.text !== undefined) {
      piece.block = { text: `<system>\n${piece.block.text}\n</system>` };
    }
  }
}

// 3.
function pairTools(turns: readonly OpenTurn[], rules: HistoryRules, parts: PartRules): Turn[] {
  const paired: Turn[] = [];
  const takenIds = new Set<string>();
  for (let index = 0; index < turns.length; index++) {
    const turn = turns[index]!;
    if (turn.role === 'user') {
      // Results that follow a call were taken with it.
      paired.push({ role: 'user', pieces: turn.pieces.flatMap((piece) => orphanAsText(piece, parts)) });
      continue;
    }
    const calls = turn.pieces.filter((piece) => 'call' in piece);
    const others = turn.pieces.flatMap((piece) => orphanAsText(piece, parts));
    const ids = calls.map(({ call }) => freeId(toWireId(call.id, mostNameCharacters), takenIds));
    const uses = calls.map((piece, place) => toolUse(piece, ids[place]!, rules.toolNames));
    paired.push({ role: 'assistant', pieces: [...others, ...uses] });
    if (calls.length === 0) continue;
    const answer: OpenTurn = turns[index + 1] ?? { role: 'user', pieces: [] };
    index++;
    const { results, rest } = resultsOf(calls, ids, answer, rules.row, parts);
    paired.push({ role: 'user', pieces: [...results, ...rest.flatMap((piece) => orphanAsText(piece, parts))] });
  }
  return paired;
}

/** Ids that occur again in a conversation (`call_0` of a server that counts anew each time) are told apart. */
function freeId(id: string, taken: Set<string>): string {
  let free = id;
  for (let count = 2; taken.has(free); count++) free = `${id.slice(0, 64 - `-${count}`.length)}-${count}`;
  taken.add(free);
  return free;
}

function toolUse({ call, ...marks }: CallPiece, toolUseId: string, names: ToolNames): Piece<ContentBlock> {
  const input = call.arguments as NonNullable<ToolUseBlock['input']>;
  return { ...marks, block: { toolUse: { toolUseId, name: names.toWire(call.name), input } } };
}

/** One result for each of the calls, in their order, and what else is in the turn that answers them. */
function resultsOf(
  calls: readonly CallPiece[],
  ids: readonly string[],
  answer: OpenTurn,
  row: CapabilityRow,
  parts: PartRules,
): { results: Piece<ContentBlock>[]; rest: OpenTurn['pieces'] } {
  const rest = [...answer.pieces];
  const results = calls.map(({ call, path }, place): Piece<ContentBlock> => {
    const toolUseId = ids[place]!;
    const at = rest.findIndex((piece) => 'result' in piece && piece.result.callId === call.id);
    if (at < 0) {
      const content = failure([{ text: 'There is no result of this call.' }], row);
      const block = { toolResult: { toolUseId, ...content } };
      return { path, place: 'messages', mark: null, mayBeMarked: true, block };
    }
    const [{ result, ...marks }] = rest.splice(at, 1) as [ResultPiece];
    const content = toResultContent(result.content, marks.path, parts);
    const block = { toolResult: { toolUseId, ...(result.isError ? failure(content, row) : { content }) } };
    return { ...marks, block };
  });
  return { results, rest };
}

function failure<Content>(content: Content[], row: CapabilityRow) {
  if (row.resultStatus) return { content, status: 'error' as const };
  return { content: [{ text: 'The tool failed:' }, ...content] };
}

/** A result that belongs to no call as text; anything but calls and results as it is. */
function orphanAsText(piece: OpenTurn['pieces'][number], parts: PartRules): Piece<ContentBlock>[] {
  if ('call' in piece) return [];
  return 'result' in piece ? resultAsText(piece, parts) : [piece];
}

/** Everything about tools as text, for a conversation in which none may be called. */
function tellTools({ role, pieces }: OpenTurn, parts: PartRules): Turn {
  const told = pieces.flatMap((piece): Piece<ContentBlock>[] => {
    if (!('call' in piece)) return orphanAsText(piece, parts);
    const { call, ...marks } = piece;
    return [{ ...marks, block: { text: `Call of ${call.name} (call ${call.id}): ${JSON.stringify(call.arguments)}` } }];
  });
  return { role, pieces: told };
}

function resultAsText({ result, ...marks }: ResultPiece, parts: PartRules): Piece<ContentBlock>[] {
  const name = result.name === undefined ? '' : ` of ${result.name}`;
  const head = `${result.isError ? 'Failure' : 'Result'}${name} (call ${result.callId}):`;
  const blocks = toResultContent(result.content, marks.path, parts) as ContentBlock[];
  const pieces = [{ text: head } as ContentBlock, ...blocks].map((block) => ({ ...marks, mark: null, block }));
  const last: Piece<ContentBlock> = pieces.at(-1)!;
  last.mark = marks.mark as CacheMark | null;
  return pieces;
}

// 4.
function withCounterparts(turns: Turn[], rules: HistoryRules, parts: PartRules): Turn[] {
  const filler = (text: string): Piece<ContentBlock> => ({
    path: 'input.messages',
    place: 'messages',
    mark: null,
    mayBeMarked: true,
    block: { text },
  });
  // Going on from nothing is a turn of its own.
  if (rules.continuesLast && turns.at(-1)?.role === 'assistant' && turns.at(-1)!.pieces.length === 0) turns.pop();
  for (const { pieces } of turns) {
    const hasText = pieces.some(({ block }) => block.text !== undefined);
    if (pieces.length === 0) pieces.push(filler(emptyText));
    else if (!hasText && pieces.some(({ block }) => block.document !== undefined))
      pieces.push(filler('(see the document)'));
  }
  if (turns[0]?.role !== 'user') turns.unshift({ role: 'user', pieces: [filler('(the conversation begins)')] });
  const last = turns.at(-1)!;
  if (last.role === 'user') return turns;
  if (!rules.continuesLast) {
    parts.warn('input.messages', 'The last turn is the assistant’s; it is asked to go on.');
    turns.push({ role: 'user', pieces: [filler('(go on)')] });
    return turns;
  }
  if (!rules.row.prefill) {
    throw new AppError('not_supported', 'This model cannot go on from a given beginning of its answer.', {
      field: 'input.continuesLast',
      fix: 'End the conversation with a message of the user that says how the answer begins.',
    });
  }
  const end = last.pieces.at(-1)!;
  if (end.block.text !== undefined) end.block = { text: end.block.text.trimEnd() };
  return turns;
}

function warnOfExtra({ extra }: Marked, path: string, { warn }: PartRules): void {
  for (const [dialect, fields] of Object.entries(extra ?? {})) {
    for (const name of Object.keys(fields)) warn(`${path}.extra.${dialect}.${name}`, 'Bedrock has no such field.');
  }
}
