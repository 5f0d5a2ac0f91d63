/**
 * What Claude Code 2.1.328 sends, written by hand after its public documents, issue threads and the SDK that it is made
 * with. Only `temperature` is not its own: a small model is to say the same each time.
 */

export interface ClaudeMessage {
  role: 'user' | 'assistant' | 'system';
  content: string | object[];
}

export const claudeHeaders = {
  authorization: 'Bearer local',
  'anthropic-version': '2023-06-01',
  'anthropic-beta':
    'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24',
  'anthropic-dangerous-direct-browser-access': 'true',
  'user-agent': 'claude-cli/2.1.328 (external, cli)',
  'x-app': 'cli',
  'x-claude-code-session-id': '4b1d3a52-8f06-4d0e-9a3c-6f2f0f9f7a11',
  'x-stainless-arch': 'x64',
  'x-stainless-lang': 'js',
  'x-stainless-os': 'Linux',
  'x-stainless-package-version': '0.137.0',
  'x-stainless-retry-count': '0',
  'x-stainless-runtime': 'node',
  'x-stainless-timeout': '600',
};

export const ephemeral = { type: 'ephemeral' };
const text = (description: string) => ({ type: 'string', description });
const inputOf = (properties: object, required: string[]) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

export const claudeTools = [
  {
    name: 'Bash',
    description: 'Executes a command in a shell and returns its output.',
    input_schema: inputOf(
      { command: text('The command'), timeout: { type: 'number' }, run_in_background: { type: 'boolean' } },
      ['command'],
    ),
    eager_input_streaming: true,
    defer_loading: false,
  },
  {
    name: 'Glob',
    description: 'Finds files by a pattern.',
    input_schema: inputOf({ pattern: text('The pattern'), path: text('The folder') }, ['pattern']),
  },
  {
    name: 'Read',
    description: 'Reads a file.',
    input_schema: inputOf({ file_path: text('The file'), offset: { type: 'number' }, limit: { type: 'number' } }, [
      'file_path',
    ]),
  },
  {
    name: 'Edit',
    description: 'Replaces a text in a file.',
    input_schema: inputOf(
      {
        file_path: { type: 'string' },
        old_string: { type: 'string' },
        new_string: { type: 'string' },
        replace_all: { type: 'boolean', default: false },
      },
      ['file_path', 'old_string', 'new_string'],
    ),
    cache_control: ephemeral,
  },
];

const identity = { type: 'text', text: "You are a coding agent on the user's machine.", cache_control: ephemeral };
const rules = `# Rules of the house
${'- Read a file before you change it, keep to its style, and say briefly what you did.\n'.repeat(10)}
# Environment
Working folder: /work
Platform: linux
Today: 2026-11-29`;

/** The line that stands first in every request. `hash`: what differs each time. */
const attribution = (hash: string) => ({
  type: 'text',
  text: `x-anthropic-billing-header: cc_version=2.1.328.${hash.slice(0, 3)}; cc_entrypoint=cli; cch=${hash};`,
});

const metadata = { user_id: '{"device_id":"d","account_uuid":"","session_id":"4b1d3a52-8f06-4d0e-9a3c-6f2f0f9f7a11"}' };

/** A turn of the conversation. */
export const claudeTurn = (hash: string, messages: readonly ClaudeMessage[]) => ({
  model: 'default',
  max_tokens: 32_000,
  temperature: 0,
  stream: true,
  system: [attribution(hash), identity, { type: 'text', text: rules, cache_control: ephemeral }],
  messages,
  tools: claudeTools,
  thinking: { type: 'adaptive' },
  output_config: { effort: 'high' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  metadata,
});

/** The same turn, as `/v1/messages/count_tokens` takes it. */
export function claudeCount(hash: string, messages: readonly ClaudeMessage[]) {
  const { stream: _1, max_tokens: _2, metadata: _3, temperature: _4, ...body } = claudeTurn(hash, messages);
  return body;
}

/** What it asks its small model beside the conversation: whether it may, and for a title. */
export const claudeProbe = {
  model: 'default',
  max_tokens: 1,
  messages: [{ role: 'user', content: 'quota' }],
  metadata,
};
export const claudeTitle = (hash: string, question: string) => ({
  model: 'default',
  max_tokens: 512,
  temperature: 0,
  stream: true,
  system: [
    attribution(hash),
    identity,
    { type: 'text', text: 'Give the conversation a title of three to seven words.' },
  ],
  messages: [{ role: 'user', content: [{ type: 'text', text: question }] }],
  tools: [],
  output_config: {
    format: {
      type: 'json_schema',
      schema: {
        type: 'object',
        properties: { title: { type: 'string' } },
        required: ['title'],
        additionalProperties: false,
      },
    },
  },
  metadata,
});

/** What the user said; the first time behind what the program says of the day. */
export const claudeQuestion = (question: string, day?: string): ClaudeMessage => ({
  role: 'user',
  content: [
    ...(day === undefined ? [] : [{ type: 'text', text: `<system-reminder>\nToday is ${day}.\n</system-reminder>` }]),
    { type: 'text', text: question, cache_control: ephemeral },
  ],
});

/** What a tool returned. */
export const claudeResult = (toolUseId: string, content: string): ClaudeMessage => ({
  role: 'user',
  content: [
    { type: 'tool_result', tool_use_id: toolUseId, content: [{ type: 'text', text: content }], is_error: false },
  ],
});

/** What it puts behind a turn; its number differs each time, and it stays where it was put. */
export const claudeReminder = (tokensLeft: number): ClaudeMessage => ({
  role: 'system',
  content: `You have ${tokensLeft} tokens left.`,
});
