import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

// biome-ignore lint/suspicious/noExplicitAny: requests of whoever is under test, read by hand
export type Json = Record<string, any>;

interface Checked {
  path: string;
  headers: IncomingHttpHeaders;
  body: Json;
  key: string;
  account: string;
}

interface Refusal {
  status: number;
  body: Json;
}

const statuses: Record<string, number> = {
  invalid_request_error: 400,
  authentication_error: 401,
  not_found_error: 404,
};

export function refusal(type: string, message: string): Refusal {
  const body = { type: 'error', error: { type, message }, request_id: 'req_011CfakeFakeFake' };
  return { status: statuses[type] ?? 400, body };
}

const bad = (message: string) => refusal('invalid_request_error', message);

/** A proof that a thought was thought by this account. */
export function fakeSignature(account: string, thinking: string): string {
  return `sig-${account}-${createHash('sha256').update(thinking).digest('base64url').slice(0, 16)}`;
}

/**
 * What the API checks before it answers, as far as its documents say it; null: it answers. Whatever is sent by a translator
 * must pass here, so the checks are as strict as the API's.
 */
export function checkRequest(checked: Checked): Refusal | null {
  const { path, headers, body, key } = checked;
  const given = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer /, '');
  if (given !== key) return refusal('authentication_error', 'invalid x-api-key');
  const version = headers['anthropic-version'];
  if (version !== '2023-06-01' && version !== '2026-10-21') return bad('anthropic-version: header is required');
  if (!path.startsWith('/v1/messages') || path.startsWith('/v1/messages/batches')) return null;
  if (!/^claude-/.test(body['model'])) return refusal('not_found_error', `model: ${body['model']}`);
  const counts = path.endsWith('/count_tokens');
  return (
    checkKeys(body, version, counts) ??
    checkThinking(body) ??
    checkTools(body) ??
    checkMessages(body, version, checked.account) ??
    checkMarks(body)
  );
}

const countKeys = ['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking', 'output_config', 'cache_control'];
const messageKeys = [
  ...countKeys,
  ...['max_tokens', 'stream', 'stop_sequences', 'metadata', 'service_tier', 'container', 'inference_geo', 'speed'],
  ...['diagnostics', 'context_management'],
];
const samplingKeys = ['temperature', 'top_p', 'top_k'];
const noSampling = /claude-(fable|mythos|opus-5|sonnet-5|haiku-5|opus-4-[78])/;

function checkKeys(body: Json, version: string, counts: boolean): Refusal | null {
  const allowed = counts ? countKeys : [...messageKeys, ...(version === '2023-06-01' ? samplingKeys : [])];
  const extra = Object.keys(body).find((key) => !allowed.includes(key));
  if (extra !== undefined) return bad(`${extra}: Extra inputs are not permitted`);
  if (!counts && typeof body['max_tokens'] !== 'number') return bad('max_tokens: Field required');
  if (body['max_tokens'] > 128_000) return bad(`max_tokens: ${body['max_tokens']} > 128000`);
  if (samplingKeys.some((key) => key in body)) {
    if (noSampling.test(body['model'])) return bad('`temperature` is deprecated for this model.');
    if ('temperature' in body && 'top_p' in body) return bad('`temperature` and `top_p` cannot both be specified');
    if (body['temperature'] > 1) return bad('temperature: range: 0..1');
    if (['enabled', 'adaptive'].includes(body['thinking']?.type)) return bad('temperature may only be 1 with thinking');
  }
  for (const stop of body['stop_sequences'] ?? []) {
    if (stop.trim() === '') return bad('stop_sequences: each stop sequence must contain non-whitespace');
  }
  const tier = body['service_tier'];
  if (tier !== undefined && tier !== 'auto' && tier !== 'standard_only')
    return bad('service_tier: Input should be auto');
  return checkFormat(body['output_config']?.format);
}

function checkFormat(format: Json | undefined): Refusal | null {
  const open = (schema: unknown): boolean => {
    if (Array.isArray(schema)) return schema.some(open);
    if (typeof schema !== 'object' || schema === null) return false;
    const { type, additionalProperties } = schema as Json;
    return (type === 'object' && additionalProperties !== false) || Object.values(schema).some(open);
  };
  return format !== undefined && open(format['schema'])
    ? bad("output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
    : null;
}

const adaptiveOnly = /claude-(fable|mythos|opus-5|sonnet-5|haiku-5|opus-4-[78])/;
const budgetOnly = /claude-(opus|sonnet|haiku)-4-5/;
const alwaysThinks = /claude-(fable|mythos|opus-5-5|sonnet-5-5)/;
const noEffort = /claude-(sonnet|haiku)-4-5/;

function checkThinking({ thinking, model, max_tokens: maxTokens, output_config: config }: Json): Refusal | null {
  if (config?.effort !== undefined && noEffort.test(model))
    return bad('This model does not support the effort parameter.');
  if (thinking === undefined) return null;
  if (thinking.type === 'enabled') {
    if (adaptiveOnly.test(model)) return bad('"thinking.type.enabled" is not supported for this model.');
    if (thinking.budget_tokens < 1024)
      return bad('thinking.enabled.budget_tokens: should be greater than or equal to 1024');
    if (maxTokens !== undefined && thinking.budget_tokens >= maxTokens)
      return bad('`max_tokens` must be greater than `thinking.budget_tokens`');
  }
  if (thinking.type === 'adaptive' && budgetOnly.test(model))
    return bad('adaptive thinking is not supported on this model');
  if (thinking.type === 'disabled' && alwaysThinks.test(model))
    return bad('"thinking.type.disabled" is not supported for this model.');
  if (thinking.type === 'between_tools' && !/claude-sonnet-5-5/.test(model))
    return bad('"thinking.type.between_tools" is not supported');
  return null;
}

const neverForced = /claude-(fable-5-|mythos-5-|opus-5-5|sonnet-5-5)/;

function checkTools({ tools, tool_choice: choice, thinking, model }: Json): Refusal | null {
  if (choice !== undefined && tools === undefined)
    return bad('tool_choice may only be specified while providing tools');
  for (const [index, tool] of (tools ?? []).entries()) {
    if (tool.type !== undefined && tool.type !== 'custom') continue;
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(tool.name))
      return bad(`tools.${index}.custom.name: String should match pattern`);
    if (tool.input_schema?.type !== 'object')
      return bad(`tools.${index}.custom.input_schema.type: Input should be 'object'`);
  }
  if (choice?.type !== 'any' && choice?.type !== 'tool') return null;
  if (neverForced.test(model)) return bad('forced tool use is not supported on this model');
  if (thinking?.type === 'enabled') return bad('Thinking may not be enabled when tool_choice forces tool use.');
  if (choice.type === 'tool' && !tools.some((tool: Json) => tool['name'] === choice.name)) {
    return bad(`Tool '${choice.name}' not found in provided tools`);
  }
  return null;
}

const prefills = /claude-(opus|sonnet|haiku)-4-5/;
const systemInside = /claude-(fable|mythos|opus-5|sonnet-5-5|haiku-5|opus-4-8)/;

function checkMessages(body: Json, version: string, account: string): Refusal | null {
  const messages: Json[] = body['messages'] ?? [];
  if (messages.length === 0) return bad('messages: at least one message is required');
  for (const block of typeof body['system'] === 'string' ? [] : (body['system'] ?? [])) {
    if (block.text.trim() === '') return bad('system: text content blocks must be non-empty');
  }
  if (!Array.isArray(messages)) return bad('messages: Input should be a valid list');
  if (messages[0]!['role'] === 'assistant') return bad('messages: first message must use the "user" role');
  for (const [index, message] of messages.entries()) {
    const at = `messages.${index}`;
    const blocks: Json[] =
      typeof message['content'] === 'string' ? [{ type: 'text', text: message['content'] }] : message['content'];
    if (!Array.isArray(blocks) || blocks.length === 0) return bad(`${at}: content must be non-empty`);
    const refused =
      (message['role'] === 'system' ? checkSystemPlace(messages, index, body['model']) : null) ??
      blocks
        .map((block, inner) => checkBlock(block, `${at}.content.${inner}`, message['role'], version, account))
        .find(Boolean) ??
      checkResults(messages, index);
    if (refused) return refused;
  }
  const last = messages.at(-1)!;
  if (last['role'] === 'assistant') {
    if (!prefills.test(body['model'])) {
      return bad(
        'This model does not support assistant message prefill. The conversation must end with a user message.',
      );
    }
    if (body['thinking']?.type === 'enabled') return bad('prefill is not supported with thinking');
    const end = last['content'].at(-1);
    if (end?.type === 'text' && end.text !== end.text.trimEnd()) {
      return bad('messages: final assistant content cannot end with trailing whitespace');
    }
  }
  return checkThoughts(body, messages);
}

function checkSystemPlace(messages: Json[], index: number, model: string): Refusal | null {
  if (!systemInside.test(model)) return bad(`messages.${index}: role 'system' is not supported on this model`);
  const before = messages[index - 1]?.['role'];
  const after = messages[index + 1]?.['role'];
  const isPlaced = (before === 'user' || before === 'system') && after !== 'user';
  return isPlaced ? null : bad(`messages.${index}: role 'system' must follow a 'user' message`);
}

const userBlocks = ['text', 'image', 'document', 'search_result', 'tool_result', 'container_upload'];
const assistantBlocks = [
  'text',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'server_tool_use',
  'web_search_tool_result',
];

function checkBlock(block: Json, at: string, role: string, version: string, account: string): Refusal | null {
  const allowed = role === 'assistant' ? assistantBlocks : role === 'system' ? ['text'] : userBlocks;
  if (role === 'assistant' && block['type'] === 'document' && version === '2023-06-01') return null;
  if (!allowed.includes(block['type']))
    return bad(`${at}: Input tag '${block['type']}' found using 'type' does not match`);
  switch (block['type']) {
    case 'text':
      if (block['text'].trim() === '') return bad(`${at}: text content blocks must contain non-whitespace text`);
      return role === 'user' && block['citations']?.length > 0 ? bad(`${at}.citations: not permitted`) : null;
    case 'image': {
      const { type, media_type: mediaType } = block['source'];
      const isKnown = type !== 'base64' || ['image/jpeg', 'image/png', 'image/gif', 'image/webp'].includes(mediaType);
      return isKnown ? null : bad(`${at}.source.base64.media_type: unknown`);
    }
    case 'document':
      return block['source'].type === 'base64' && block['source'].media_type !== 'application/pdf'
        ? bad(`${at}.source.base64.media_type: Input should be 'application/pdf'`)
        : null;
    case 'tool_use':
      if (!/^[a-zA-Z0-9_-]+$/.test(block['id'])) return bad(`${at}.id: String should match pattern`);
      return /^[a-zA-Z0-9_-]{1,128}$/.test(block['name']) ? null : bad(`${at}.name: String should match pattern`);
    case 'tool_result':
      for (const [index, inner] of (block['content'] ?? []).entries()) {
        const refused =
          typeof inner === 'string' ? null : checkBlock(inner, `${at}.content.${index}`, 'user', version, account);
        if (refused) return refused;
      }
      return null;
    case 'thinking': {
      const { signature, thinking } = block;
      if (signature === undefined) return bad(`${at}.signature: Field required`);
      return signature === fakeSignature(account, thinking)
        ? null
        : bad(`${at}: Invalid \`signature\` in \`thinking\` block`);
    }
    default:
      return null;
  }
}

/** Every call has its result at the begin of the next turn, and every result its call before it. */
function checkResults(messages: Json[], index: number): Refusal | null {
  const { role, content } = messages[index]!;
  if (role !== 'user' || typeof content === 'string') return null;
  const turn: Json[] = [];
  for (let at = index; messages[at]?.['role'] === 'user'; at--) turn.unshift(...blocksOf(messages[at]!));
  const before = messages.slice(0, index).findLast((message) => message['role'] === 'assistant');
  const calls = before === undefined ? [] : blocksOf(before).filter(({ type }) => type === 'tool_use');
  const results = turn.filter(({ type }) => type === 'tool_result');
  const stray = results.find(({ tool_use_id: id }) => !calls.some((call) => call['id'] === id));
  if (stray)
    return bad(
      `messages.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray['tool_use_id']}`,
    );
  if (messages[index + 1]?.['role'] === 'user') return null;
  const missing = calls.find(({ id }) => !results.some((result) => result['tool_use_id'] === id));
  if (missing)
    return bad(`messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks: ${missing['id']}`);
  const firstOther = turn.findIndex(({ type }) => type !== 'tool_result');
  const isLed = firstOther === -1 || turn.slice(firstOther).every(({ type }) => type !== 'tool_result');
  return isLed ? null : bad(`messages.${index}: \`tool_result\` blocks must come first`);
}

function blocksOf({ content }: Json): Json[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

/** A model that thinks by a budget wants its last turn with calls to begin with a thought. */
function checkThoughts({ thinking }: Json, messages: Json[]): Refusal | null {
  if (thinking?.type !== 'enabled') return null;
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const blocks = last === -1 ? [] : blocksOf(messages[last]!);
  const first = blocks[0]?.['type'];
  if (!blocks.some(({ type }) => type === 'tool_use') || first === 'thinking' || first === 'redacted_thinking')
    return null;
  return bad(
    `messages.${last}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${first}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block.`,
  );
}

function checkMarks(body: Json): Refusal | null {
  const marks = [...JSON.stringify(body).matchAll(/"cache_control":\{/g)].length;
  return marks > 4 ? bad(`A maximum of 4 blocks with cache_control may be provided. Found ${marks}.`) : null;
}
