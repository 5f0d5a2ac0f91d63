import type { ConverseStreamCommandInput } from '@aws-sdk/client-bedrock-runtime';

// biome-ignore lint/suspicious/noExplicitAny: requests of any making, valid or not
type Loose = any;

const name = /^[a-zA-Z0-9_-]{1,64}$/;
const documentName = /^(?!.* {2})(?! )[a-zA-Z0-9\-()[\] ]{1,200}(?<! )$/;
const blank = (text: unknown) => typeof text !== 'string' || text.trim() === '';

/** What a model takes beyond what Converse itself checks. */
export interface ModelLimits {
  cachePlaces: readonly string[];
  mostCachePoints: number;
  hour: boolean;
}

/**
 * A small model of the checks that Converse makes before it asks a model, each as a sentence; none: it is valid. Written
 * from the messages that Bedrock answers with, and shares no code with what it judges.
 */
export function converseViolations(input: Omit<ConverseStreamCommandInput, 'modelId'>, limits: ModelLimits): string[] {
  const found: string[] = [];
  const no = (what: string) => found.push(what);
  const request: Loose = input;
  const messages: Loose[] = request.messages ?? [];
  if (messages.length === 0) no('there is no message');
  if (messages[0] && messages[0].role !== 'user') no('a conversation must start with a user message');
  for (const [index, { role, content }] of messages.entries()) {
    if (!['user', 'assistant'].includes(role)) no(`role ${role}`);
    if (messages[index - 1]?.role === role) no('roles must alternate');
    if (content.length === 0) no(`the content field of message ${index} is empty`);
    if (content.every((block: Loose) => block.cachePoint)) no(`message ${index} has nothing but cache points`);
    if (content.some((block: Loose) => block.document) && !content.some((block: Loose) => block.text)) {
      no('a document needs text beside it');
    }
    for (const block of content) checkBlock(block, role, no);
    checkOrder(content, role, no);
  }
  checkPairs(messages, no);
  checkDocuments(messages, no);
  for (const block of request.system ?? []) if (!block.cachePoint && blank(block.text)) no('blank system text');
  if (request.system?.length === 0) no('an empty system');
  checkTools(request, messages, no);
  checkCachePoints(request, messages, limits, no);
  for (const text of request.inferenceConfig?.stopSequences ?? []) if (blank(text)) no('a blank stop string');
  return found;
}

function checkBlock(block: Loose, role: string, no: (what: string) => void): void {
  if (Object.keys(block).length !== 1) no(`a block of ${Object.keys(block).length} kinds`);
  if ('text' in block && blank(block.text)) no('text content blocks must contain non-whitespace text');
  if (block.toolUse) {
    if (role !== 'assistant') no('a user calls no tool');
    if (!name.test(block.toolUse.toolUseId)) no(`an id of a call: ${block.toolUse.toolUseId}`);
    if (!name.test(block.toolUse.name)) no(`a name of a tool: ${block.toolUse.name}`);
    if (typeof block.toolUse.input !== 'object' || Array.isArray(block.toolUse.input)) no('input is no object');
  }
  if (block.toolResult) {
    if (role !== 'user') no('results are the user’s');
    if (block.toolResult.content.length === 0) no('an empty result');
    for (const inner of block.toolResult.content) {
      if (inner.cachePoint) no('a cache point inside a result');
      if ('text' in inner && blank(inner.text)) no('blank text in a result');
      if (inner.image?.source.bytes?.length === 0) no('an image of no bytes');
    }
  }
  const media = block.image ?? block.document;
  if (media && role !== 'user') no('only users send images and documents');
  // On the wire bytes are base64.
  if (media && !(media.source.bytes instanceof Uint8Array || typeof media.source.bytes === 'string')) {
    no('media without bytes');
  }
  const reasoning = block.reasoningContent?.reasoningText;
  if (reasoning && (blank(reasoning.text) || blank(reasoning.signature))) no('reasoning without text or signature');
}

/** Results first in the user's turn, calls last in the assistant's, no cache point behind reasoning or another one. */
function checkOrder(content: Loose[], role: string, no: (what: string) => void): void {
  const blocks = content.filter((block) => !block.cachePoint);
  const kind = role === 'user' ? 'toolResult' : 'toolUse';
  const isKind = blocks.map((block) => kind in block);
  const first = isKind.indexOf(role !== 'user');
  if (first >= 0 && isKind.slice(first).some((is) => is !== (role !== 'user'))) no(`${kind} in the wrong place`);
  for (const [index, block] of content.entries()) {
    const before = content[index - 1];
    if (block.cachePoint && (!before || before.cachePoint || before.reasoningContent))
      no('a cache point behind nothing');
  }
}

/** Each call has exactly one result in the very next turn, and each result its call in the one before; in one order. */
function checkPairs(messages: Loose[], no: (what: string) => void): void {
  const seen = new Set<string>();
  for (const [index, { role, content }] of messages.entries()) {
    const ids = (kind: string, of: Loose[] = []) => of.flatMap((block) => block[kind]?.toolUseId ?? []);
    if (role === 'assistant') {
      const calls = ids('toolUse', content);
      for (const id of calls) {
        if (seen.has(id)) no(`tool_use ids must be unique: ${id}`);
        seen.add(id);
      }
      const results = ids('toolResult', messages[index + 1]?.content);
      if (calls.join() !== results.join()) no(`calls ${calls.join()} have results ${results.join()}`);
    } else if (ids('toolResult', content).length > 0 && messages[index - 1]?.role !== 'assistant') {
      no('results without calls');
    }
  }
}

function checkDocuments(messages: Loose[], no: (what: string) => void): void {
  const names = messages
    .flatMap(({ content }) => content)
    .flatMap((block: Loose) => [block, ...(block.toolResult?.content ?? [])])
    .flatMap((block: Loose) => block.document?.name ?? []);
  for (const one of names) if (!documentName.test(one)) no(`a name of a document: "${one}"`);
  if (new Set(names).size !== names.length) no('two documents of one name');
}

function checkTools(request: Loose, messages: Loose[], no: (what: string) => void): void {
  const tools = (request.toolConfig?.tools ?? []).filter((tool: Loose) => !tool.cachePoint);
  const usesTools = messages.some(({ content }) => content.some((block: Loose) => block.toolUse || block.toolResult));
  if (usesTools && tools.length === 0) no('the toolConfig field must be defined when using tool blocks');
  if (request.toolConfig && tools.length === 0) no('a toolConfig without tools');
  const names = tools.map((tool: Loose) => tool.toolSpec.name);
  if (new Set(names).size !== names.length) no('two tools of one name');
  for (const { toolSpec } of tools) {
    if (!name.test(toolSpec.name)) no(`a name of a tool: ${toolSpec.name}`);
    if (toolSpec.inputSchema.json.type !== 'object') no('a schema that is no object’s');
    if (toolSpec.description !== undefined && blank(toolSpec.description)) no('a blank description');
  }
  const forced = request.toolConfig?.toolChoice?.tool?.name;
  if (forced !== undefined && !names.includes(forced)) no('a forced tool that is not there');
}

function checkCachePoints(request: Loose, messages: Loose[], limits: ModelLimits, no: (what: string) => void): void {
  const places = {
    tools: request.toolConfig?.tools ?? [],
    system: request.system ?? [],
    messages: messages.flatMap(({ content }) => content),
  };
  const points = Object.entries(places).flatMap(([place, blocks]) =>
    blocks.flatMap((block: Loose) => (block.cachePoint ? [{ place, ttl: block.cachePoint.ttl ?? '5m' }] : [])),
  );
  if (points.length > limits.mostCachePoints) no(`${points.length} cache points`);
  for (const { place } of points) if (!limits.cachePlaces.includes(place)) no(`a cache point in ${place}`);
  if (!limits.hour && points.some(({ ttl }) => ttl === '1h')) no('an hour on a model without it');
  const firstShort = points.findIndex(({ ttl }) => ttl === '5m');
  if (firstShort >= 0 && points.slice(firstShort).some(({ ttl }) => ttl === '1h')) no('an hour after five minutes');
}
