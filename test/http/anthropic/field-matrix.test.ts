import { describe } from 'vitest';
import { type Example, testFieldMatrix } from '../field-matrix.ts';

type Fields = Record<string, unknown>;

const hi = { role: 'user', content: 'Hi' };
const base = { model: 'default', max_tokens: 9_000, messages: [hi] };
const cached = { cache_control: { type: 'ephemeral' } };
const text = { type: 'text', text: 'Sentinel' };
const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const tool = { name: 'look', input_schema: { type: 'object' } };
const call = { type: 'tool_use', id: 'c1', name: 'look', input: {} };
const result = { type: 'tool_result', tool_use_id: 'c1', content: 'Seen' };

const inBody = (fields: object) => (value: Fields) => ({ ...base, ...fields, ...value });
const field =
  (name: string, beside: object = {}) =>
  (value: Fields) => ({ ...base, ...beside, [name]: value });
const inUser = (block: Fields) => ({ ...base, messages: [{ role: 'user', content: [block] }] });
const inAssistant = (block: Fields) => ({
  ...base,
  messages: [hi, { role: 'assistant', content: [block, { type: 'text', text: 'So' }] }, hi],
});
const inResult = (block: Fields) => ({
  ...base,
  messages: [hi, { role: 'assistant', content: [call] }, { role: 'user', content: [{ ...result, content: [block] }] }],
});
const inTools = (value: Fields) => ({ ...base, tools: [value] });
const inImage = (source: Fields) => inUser({ type: 'image', source });
const inDocument = (source: Fields) => inUser({ type: 'document', source });

/** A conversation of which the edits clear something. */
const turns = ['c1', 'c2', 'c3', 'c4', 'c5'].flatMap((id) => [
  {
    role: 'assistant',
    content: [
      { type: 'thinking', thinking: `Thought ${id}`, signature: '' },
      { ...call, id, name: id === 'c1' ? 'keep' : 'look', input: { a: id } },
    ],
  },
  { role: 'user', content: [{ ...result, tool_use_id: id }] },
]);
const edited = (edit: Fields) => ({ ...base, messages: [hi, ...turns], context_management: { edits: [edit] } });
const clearing = (more: Fields) => ({
  type: 'clear_tool_uses_20250919',
  trigger: { type: 'tool_uses', value: 1 },
  ...more,
});

/** A tool that the client runs, spelled out here. */
const clientTool = (type: string, name: string, more: Fields = {}): Example => ({
  value: {
    type,
    name,
    strict: true,
    ...cached,
    allowed_callers: ['direct'],
    defer_loading: true,
    input_examples: [{}],
    ...more,
  },
  at: inTools,
  others: { name: 'another' },
});

const serverResult = (type: string, more: Fields = {}): Example => ({
  value: { type, tool_use_id: 's1', content: [{ type: 'x', encrypted_content: 'x' }], ...cached, ...more },
  at: inAssistant,
});
const foreignCaller = { caller: { type: 'code_execution_20250825', tool_id: 't' } };

const thinkingExample = (value: Fields): Example => ({
  value,
  at: field('thinking'),
  others: { budget_tokens: 2_048 },
  elsewhere: { display: 'messages.test.ts: thoughts are shown or carried by the signature' },
});
const binding = { block_binding: { prefix_mismatch_behavior: 'drop' } };

const refusedInBody = {
  billing_policy: { type: 'x' },
  compaction: { type: 'summarize' },
  mcp_servers: [{ type: 'url', name: 'x', url: 'https://sentinel.example' }],
};
const shared = {
  model: 'sentinel',
  messages: [{ role: 'user', content: 'Sentinel' }],
  system: 'Sentinel',
  tools: [tool],
  tool_choice: { type: 'none' },
  cache_control: { type: 'ephemeral' },
  context_management: { edits: [clearing({ keep: { type: 'tool_uses', value: 0 } })] },
  output_config: { format: { type: 'json_schema', schema } },
  thinking: { type: 'adaptive' },
  user_profile_id: 'sentinel',
  workspace_id: 'sentinel',
  speed: 'fast',
  // A header that clients of the beta write from it.
  betas: ['sentinel'],
};
const sharedElsewhere = {
  context_management: 'BetaContextManagementConfig',
  cache_control: 'docs/dialect-anthropic.md: whatever was read is found again, with a mark and without',
  output_format: 'the next example, as it cannot stand beside output_config.format',
};
const conversationOthers = {
  messages: [{ role: 'user', content: 'Another' }],
  max_tokens: 8_000,
};

const examples: Record<string, Example | Example[]> = {
  MessageCreateParamsBase: [
    {
      value: {
        ...shared,
        max_tokens: 77,
        stream: true,
        stop_sequences: ['sentinel'],
        metadata: { user_id: 'sentinel' },
        service_tier: 'auto',
        inference_geo: 'sentinel',
        diagnostics: { previous_message_id: 'sentinel' },
      },
      at: inBody({}),
      refused: {
        ...refusedInBody,
        container: 'sentinel',
        fallbacks: [{ model: 'sentinel' }],
        fallback_credit_token: 'sentinel',
        thread: { type: 'create' },
      },
      others: conversationOthers,
      elsewhere: sharedElsewhere,
    },
    { value: { output_format: { type: 'json_schema', schema } }, at: inBody({}) },
  ],
  MessageCountTokensParams: [
    {
      url: '/v1/messages/count_tokens',
      value: shared,
      at: (value: Fields) => ({ model: 'default', messages: [hi], ...value }),
      refused: refusedInBody,
      others: conversationOthers,
      elsewhere: sharedElsewhere,
    },
    {
      url: '/v1/messages/count_tokens',
      value: { output_format: { type: 'json_schema', schema } },
      at: (value: Fields) => ({ model: 'default', messages: [hi], ...value }),
    },
  ],
  BetaUserMessageParam: {
    value: { role: 'user', content: 'Sentinel' },
    at: (message: Fields) => ({ ...base, messages: [message] }),
    others: { role: 'assistant' },
  },
  BetaAssistantMessageParam: {
    value: { role: 'assistant', content: 'Sentinel' },
    at: (message: Fields) => ({ ...base, messages: [hi, message, hi] }),
    others: { role: 'user' },
  },
  BetaSystemMessageParam: {
    value: { role: 'system', content: 'Sentinel', clear_at: 'sentinel', output_config: { effort: 'low' } },
    at: (message: Fields) => ({ ...base, messages: [hi, message] }),
    others: { role: 'user' },
  },
  BetaTextBlockParam: [
    { value: { ...text, ...cached, citations: [{ type: 'x' }] }, at: inUser },
    { value: { ...text, ...cached, citations: [{ type: 'x' }] }, at: inAssistant },
    {
      value: { ...text, ...cached, citations: [{ type: 'x' }] },
      at: (block: Fields) => ({ ...base, system: [block] }),
    },
    { value: { ...text, ...cached, citations: [{ type: 'x' }] }, at: inResult },
  ],
  BetaCacheControlEphemeral: {
    value: { type: 'ephemeral', ttl: '1h' },
    at: (mark: Fields) => inUser({ ...text, cache_control: mark }),
  },
  BetaImageBlockParam: [inUser, inResult].map((at) => ({
    value: {
      type: 'image',
      source: { type: 'url', url: 'https://sentinel.example' },
      ...cached,
      transformations: { oversized_image: 'error' },
    },
    at,
    others: { source: { type: 'file', file_id: 'sentinel' } },
  })),
  BetaRequestDocumentBlock: [inUser, inResult].map((at) => ({
    value: {
      type: 'document',
      source: { type: 'text', media_type: 'text/plain', data: 'Sentinel' },
      title: 'Sentinel',
      context: 'Sentinel',
      citations: { enabled: true },
      ...cached,
    },
    at,
    others: { source: { type: 'text', media_type: 'text/plain', data: 'Another' } },
  })),
  BetaSearchResultBlockParam: [inUser, inResult].map((at) => ({
    value: {
      type: 'search_result',
      title: 'Sentinel',
      source: 'https://sentinel.example',
      content: [text],
      citations: { enabled: true },
      ...cached,
    },
    at,
    others: { content: [{ ...text, text: 'Another' }] },
  })),
  BetaBase64ImageSource: { value: { type: 'base64', media_type: 'image/png', data: 'c2VudGluZWw=' }, at: inImage },
  BetaURLImageSource: { value: { type: 'url', url: 'https://sentinel.example' }, at: inImage },
  BetaFileImageSource: { value: { type: 'file', file_id: 'sentinel' }, at: inImage },
  BetaBase64PDFSource: { value: { type: 'base64', media_type: 'application/pdf', data: 'c2Vu' }, at: inDocument },
  BetaURLPDFSource: { value: { type: 'url', url: 'https://sentinel.example' }, at: inDocument },
  BetaFileDocumentSource: { value: { type: 'file', file_id: 'sentinel' }, at: inDocument },
  BetaPlainTextSource: {
    value: { type: 'text', media_type: 'text/plain', data: 'Sentinel' },
    at: inDocument,
    elsewhere: { media_type: 'it can be text/plain only' },
  },
  BetaContentBlockSource: {
    value: { type: 'content', content: [{ ...text, ...cached }] },
    at: inDocument,
    others: { content: 'Another' },
  },
  BetaThinkingBlockParam: {
    value: { type: 'thinking', thinking: 'Sentinel', signature: 'sentinel' },
    at: inAssistant,
  },
  BetaRedactedThinkingBlockParam: { value: { type: 'redacted_thinking', data: 'sentinel' }, at: inAssistant },
  BetaToolUseBlockParam: {
    value: {
      ...call,
      input: { a: 'sentinel' },
      ...cached,
      caller: { type: 'code_execution_20250825', tool_id: 't' },
      toolset_name: 'sentinel',
    },
    at: (block: Fields) => ({
      ...base,
      messages: [
        hi,
        { role: 'assistant', content: [block] },
        { role: 'user', content: [{ ...result, tool_use_id: block['id'] }] },
      ],
    }),
    others: { input: { a: 'other' } },
  },
  BetaToolResultBlockParam: {
    value: { ...result, is_error: true, ...cached, toolset_name: 'sentinel' },
    at: (block: Fields) => ({
      ...base,
      messages: [hi, { role: 'assistant', content: [call] }, { role: 'user', content: [block] }],
    }),
  },
  BetaToolReferenceBlockParam: { value: { type: 'tool_reference', tool_name: 'sentinel', ...cached }, at: inResult },
  BetaServerToolUseBlockParam: {
    value: {
      type: 'server_tool_use',
      id: 's1',
      name: 'web_search',
      input: { query: 'x' },
      ...cached,
      ...foreignCaller,
    },
    at: inAssistant,
  },
  BetaMCPToolUseBlockParam: {
    value: { type: 'mcp_tool_use', id: 's1', name: 'x', server_name: 'sentinel', input: { a: 'x' }, ...cached },
    at: inAssistant,
  },
  BetaWebSearchToolResultBlockParam: serverResult('web_search_tool_result', foreignCaller),
  BetaWebFetchToolResultBlockParam: serverResult('web_fetch_tool_result', foreignCaller),
  BetaCodeExecutionToolResultBlockParam: serverResult('code_execution_tool_result'),
  BetaBashCodeExecutionToolResultBlockParam: serverResult('bash_code_execution_tool_result'),
  BetaTextEditorCodeExecutionToolResultBlockParam: serverResult('text_editor_code_execution_tool_result'),
  BetaToolSearchToolResultBlockParam: serverResult('tool_search_tool_result'),
  BetaAdvisorToolResultBlockParam: serverResult('advisor_tool_result'),
  BetaRequestMCPToolResultBlockParam: serverResult('mcp_tool_result', { is_error: true }),
  BetaCompactionBlockParam: {
    value: {
      type: 'compaction',
      content: 'Sentinel',
      encrypted_content: 'sentinel',
      signature: 'sentinel',
      tool_changes: [],
      ...cached,
    },
    at: inAssistant,
  },
  BetaTool: {
    value: {
      type: 'custom',
      name: 'sentinel',
      description: 'Sentinel',
      input_schema: schema,
      strict: true,
      input_examples: [{ a: 'sentinel' }],
      eager_input_streaming: true,
      defer_loading: true,
      allowed_callers: ['direct'],
      ...cached,
    },
    at: inTools,
    others: { input_schema: { type: 'object' } },
    elsewhere: {
      type: 'custom is what a tool without a type is',
      eager_input_streaming: 'arguments stream as they come, asked for or not',
    },
  },
  'BetaTool.InputSchema': {
    value: schema,
    at: (input: Fields) => inTools({ ...tool, input_schema: input }),
  },
  BetaToolBash20241022: clientTool('bash_20241022', 'bash'),
  BetaToolBash20250124: clientTool('bash_20250124', 'bash'),
  BetaMemoryTool20250818: clientTool('memory_20250818', 'memory'),
  BetaToolTextEditor20241022: clientTool('text_editor_20241022', 'str_replace_editor'),
  BetaToolTextEditor20250124: clientTool('text_editor_20250124', 'str_replace_editor'),
  BetaToolTextEditor20250429: clientTool('text_editor_20250429', 'str_replace_based_edit_tool'),
  BetaToolTextEditor20250728: clientTool('text_editor_20250728', 'str_replace_based_edit_tool', { max_characters: 9 }),
  BetaToolChoiceAuto: {
    value: { type: 'auto', disable_parallel_tool_use: true },
    at: field('tool_choice', { tools: [tool] }),
    others: { type: 'none' },
  },
  BetaToolChoiceAny: {
    value: { type: 'any', disable_parallel_tool_use: true },
    at: field('tool_choice', { tools: [tool] }),
  },
  BetaToolChoiceTool: {
    value: { type: 'tool', name: 'look', disable_parallel_tool_use: true },
    at: field('tool_choice', { tools: [tool] }),
  },
  BetaToolChoiceNone: { value: { type: 'none' }, at: field('tool_choice', { tools: [tool] }) },
  BetaThinkingConfigEnabled: thinkingExample({
    type: 'enabled',
    budget_tokens: 1_024,
    display: 'omitted',
    ...binding,
  }),
  BetaThinkingConfigAdaptive: thinkingExample({ type: 'adaptive', display: 'omitted', ...binding }),
  BetaThinkingConfigBetweenTools: thinkingExample({ type: 'between_tools' }),
  BetaThinkingConfigDisabled: thinkingExample({ type: 'disabled' }),
  BetaOutputConfig: {
    value: {
      effort: 'low',
      format: { type: 'json_schema', schema },
      task_budget: { type: 'tokens', total: 77 },
    },
    at: field('output_config', { thinking: { type: 'adaptive' } }),
  },
  BetaJSONOutputFormat: {
    value: { type: 'json_schema', schema },
    at: (format: Fields) => ({ ...base, output_config: { format } }),
    others: { schema: { type: 'object' } },
  },
  BetaMetadata: { value: { user_id: 'sentinel' }, at: field('metadata') },
  BetaContextManagementConfig: {
    value: { edits: [clearing({})] },
    at: field('context_management', { messages: [hi, ...turns] }),
  },
  BetaClearToolUses20250919Edit: {
    value: clearing({
      keep: { type: 'tool_uses', value: 1 },
      clear_at_least: { type: 'input_tokens', value: 0 },
      clear_tool_inputs: true,
      exclude_tools: ['keep'],
    }),
    at: edited,
    elsewhere: { clear_at_least: 'BetaInputTokensClearAtLeast' },
  },
  BetaClearThinking20251015Edit: {
    value: { type: 'clear_thinking_20251015', keep: { type: 'thinking_turns', value: 2 } },
    at: edited,
  },
  BetaThinkingTurns: {
    value: { type: 'thinking_turns', value: 2 },
    at: (keep: Fields) => edited({ type: 'clear_thinking_20251015', keep }),
    others: { value: 3 },
  },
  BetaAllThinkingTurns: {
    value: { type: 'all' },
    at: (keep: Fields) => edited({ type: 'clear_thinking_20251015', keep }),
  },
  BetaToolUsesKeep: {
    value: { type: 'tool_uses', value: 1 },
    at: (keep: Fields) => edited(clearing({ keep })),
    others: { value: 2 },
  },
  BetaToolUsesTrigger: {
    value: { type: 'tool_uses', value: 1 },
    at: (trigger: Fields) => edited(clearing({ trigger })),
    others: { value: 9 },
  },
  BetaInputTokensTrigger: {
    value: { type: 'input_tokens', value: 1 },
    at: (trigger: Fields) => edited(clearing({ trigger })),
    others: { value: 99 },
  },
  BetaInputTokensClearAtLeast: {
    // The fake counts the same before and after, so that nothing is enough.
    value: { type: 'input_tokens', value: 0 },
    at: (atLeast: Fields) => edited(clearing({ clear_at_least: atLeast })),
    others: { value: 1 },
  },
};

describe('the fields of Anthropic', () => {
  testFieldMatrix({
    api: 'anthropic',
    url: '/v1/messages',
    headers: { 'anthropic-version': '2026-10-21' },
    examples,
    parts: [
      [/^Beta(Browser|Computer|.*Computer(Use)?)/, 'of toolsets, which are refused by their type'],
      [/^Beta(WebSearchTool|WebFetchTool|CodeExecutionTool|ToolSearchTool|AdvisorTool)\w*\d{8}$/, 'refused by type'],
      [/^Beta(WebFetchURLSource|UserLocation)/, 'of tools that are refused by type'],
      [/^BetaMCPTool(set|Config|DefaultConfig|Param)?$/, 'of mcp_toolset, which is refused by its type'],
      [
        /^Beta(RequestMCPServer|Skill|Container|Fallback|Thread|Billing|CompactionConfig)/,
        'of fields that are refused',
      ],
      [/^BetaCompact20260112Edit$/, 'an edit that is refused by its type'],
      [/^Beta(RequestTool(Addition|Removal)|ToolChange|MCPToolListing)/, 'blocks that are refused by their type'],
      [/^BetaContainerUpload/, 'a block that is refused by its type'],
      [/^BetaCitation/, 'of citations, which are named as a whole'],
      [/^Beta(TokenTaskBudget|Diagnostics|ImageTransformations|ThinkingBlockBinding|SystemMessageOutput)/, 'so too'],
      [/^Beta(DirectCaller|ServerToolCaller)/, 'of caller, which is named as a whole'],
      [/Result(Block)?(Param|Object)?$|ResultError\w*Param$|OutputBlockParam$|^BetaWebFetchBlock/, 'shown as JSON'],
      [/^BetaWebSearchToolRequestError/, 'shown as JSON'],
    ],
  });
});
