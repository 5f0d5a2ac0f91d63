/**
 * What Codex 0.153.0 sends, written by hand after its public documents and issue threads. Only `temperature` is not its
 * own: a small model is to say the same each time.
 */

export const codexHeaders = {
  accept: 'text/event-stream',
  authorization: 'Bearer local',
  conversation_id: '0199a213-81c0-7800-8aa1-bbab2a035a53',
  originator: 'codex_cli_rs',
  session_id: '0199a213-81c0-7800-8aa1-bbab2a035a53',
  'user-agent': 'codex_cli_rs/0.153.0 (Debian 12; x86_64) xterm-256color',
};

const text = (description: string) => ({ type: 'string', description });

/** A small one: the built-in model is shown it, and takes a long one for what it is to write. */
const patchGrammar = 'start: /[a-z]+/';

export const codexTools = [
  {
    type: 'function',
    name: 'exec_command',
    description: 'Runs a command in a shell.',
    strict: false,
    parameters: {
      type: 'object',
      properties: { cmd: text('The command'), workdir: { type: 'string' }, yield_time_ms: { type: 'number' } },
      required: ['cmd'],
      additionalProperties: false,
    },
  },
  {
    type: 'function',
    name: 'update_plan',
    description: 'Updates the plan.',
    strict: false,
    parameters: {
      type: 'object',
      properties: {
        plan: {
          type: 'array',
          items: {
            type: 'object',
            properties: { step: { type: 'string' }, status: { type: 'string' } },
            required: ['step', 'status'],
            additionalProperties: false,
          },
        },
      },
      required: ['plan'],
      additionalProperties: false,
    },
  },
  {
    type: 'custom',
    name: 'apply_patch',
    description: 'Edits files.',
    format: { type: 'grammar', syntax: 'lark', definition: patchGrammar },
  },
];

/** A turn: the whole conversation goes with it, as nothing is stored. */
export const codexTurn = (model: string, input: readonly object[]) => ({
  model,
  temperature: 0,
  instructions: `You are Codex, a coding agent.\n\n${'- Look before you change anything, and say briefly what you did.\n'.repeat(12)}`,
  input,
  tools: codexTools,
  tool_choice: 'auto',
  parallel_tool_calls: true,
  reasoning: { effort: 'medium', summary: 'auto' },
  store: false,
  stream: true,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: '0199a213-81c0-7800-8aa1-bbab2a035a53',
  text: { verbosity: 'low' },
  client_metadata: { 'x-codex-installation-id': '1' },
});

/** A message among the items of a conversation. */
export const codexMessage = (role: 'developer' | 'user' | 'assistant', content: string) => ({
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text: content }],
});

/** What stands before the first question. */
export const codexPreamble = [
  codexMessage('developer', '<permissions instructions>Sandboxed.</permissions instructions>'),
  codexMessage('user', '<environment_context><cwd>/repo</cwd></environment_context>'),
];
