import { objectAt, serverBlock } from './block-fields.ts';
import type { BodyContent, ConversationBody } from './body.ts';

/** Fields of each block that are read, `type` aside; a document's `citations` and the like change nothing here. */
export const readFields: Readonly<Record<string, readonly string[]>> = {
  text: ['text', 'cache_control'],
  image: ['source', 'cache_control'],
  document: ['source', 'title', 'context', 'cache_control'],
  search_result: ['source', 'title', 'content', 'cache_control'],
  tool_result: ['tool_use_id', 'content', 'is_error', 'cache_control'],
  tool_use: ['id', 'name', 'input', 'cache_control'],
  thinking: ['thinking', 'signature'],
  redacted_thinking: ['data'],
  tool_reference: ['tool_name'],
  compaction: ['content'],
};

/** The same of the sources of images and documents. A text's `media_type` can be one thing only. */
const readOfSources: Readonly<Record<string, readonly string[]>> = {
  base64: ['media_type', 'data'],
  url: ['url'],
  file: ['file_id'],
  text: ['media_type', 'data'],
  content: ['content'],
};

/** Blocks inside of documents and search results are read for their text alone. */
const readInside = ['text'];

/** Names of fields in the blocks of a conversation that change nothing, for the header that says so. */
export function ignoredInBlocks({ system, messages }: Pick<ConversationBody, 'system' | 'messages'>): string[] {
  const names = new Set<string>();
  addBlocks(system ?? '', 'system', names);
  for (const { content } of messages) addBlocks(content, 'messages.content', names);
  return [...names];
}

function addBlocks(content: BodyContent, path: string, names: Set<string>): void {
  if (typeof content === 'string') return;
  for (const block of content) {
    if (serverBlock.test(block.type)) addUnread(block, path, names);
    // Says which model of a list answered; it is dropped as a whole.
    else if (block.type === 'fallback') names.add(`${path}.fallback`);
    else addOthers(block, readFields[block.type] ?? [], path, names);
    const { content: inner } = block;
    if (block.type === 'tool_result') addBlocks(blocksIn(inner), `${path}.content`, names);
    if (block.type === 'search_result') addInside(inner, `${path}.content`, names);
    if (block.type === 'image' || block.type === 'document') addSource(block, `${path}.source`, names);
  }
}

function addSource(block: object, path: string, names: Set<string>): void {
  const source = objectAt(block, 'source');
  if (source === null) return;
  addOthers(source, readOfSources[String(source['type'])] ?? [], path, names);
  addInside(source['content'], `${path}.content`, names);
}

function addInside(content: unknown, path: string, names: Set<string>): void {
  for (const block of blocksIn(content)) addOthers(block, readInside, path, names);
}

/** Names what `readableFields` leaves out of a block of the service's own tools, wherever in it. */
function addUnread(value: unknown, path: string, names: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) addUnread(item, path, names);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (!isReadable(name)) addGiven(name, inner, path, names);
      else addUnread(inner, `${path}.${name}`, names);
    }
  }
}

/** Whether a field of a block of the service's own tools is shown to the model: what only its maker can read is not. */
export function isReadable(name: string): boolean {
  return !name.startsWith('encrypted_') && name !== 'cache_control' && name !== 'caller';
}

function addOthers(block: object, read: readonly string[], path: string, names: Set<string>): void {
  for (const [name, value] of Object.entries(block)) {
    if (name !== 'type' && !read.includes(name)) addGiven(name, value, path, names);
  }
}

function addGiven(name: string, value: unknown, path: string, names: Set<string>): void {
  // That the model made a call is what a call is; answers of ours say it of each.
  const isPlain = name === 'caller' && objectAt({ value }, 'value')?.['type'] === 'direct';
  if (value !== null && !isPlain) names.add(`${path}.${name}`);
}

/** What of a value are blocks; what is none of them is refused by whoever reads it. */
function blocksIn(content: unknown): Exclude<BodyContent, string> {
  if (!Array.isArray(content)) return [];
  return content.filter((block) => typeof block === 'object' && block !== null && typeof block.type === 'string');
}
