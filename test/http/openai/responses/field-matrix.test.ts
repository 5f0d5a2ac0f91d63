import { describe } from 'vitest';
import { type Example, testFieldMatrix } from '../../field-matrix.ts';

type Fields = Record<string, unknown>;

const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const look = { type: 'function', name: 'look' };
const url = 'https://sentinel.example';
const bytes = 'data:image/png;base64,c2Vu';
const foreign = { caller: { type: 'program', caller_id: 'p1' } };
const breakpoint = { prompt_cache_breakpoint: { mode: 'explicit' } };
const call = { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' };

const asked = (value: Fields) => ({ input: 'Hi', store: false, ...value });
const inItems = (item: Fields) =>
  asked({ input: [{ role: 'user', content: 'Hi' }, item, { role: 'user', content: 'Go' }] });
const answering = (kind: string) => (item: Fields) =>
  asked({ input: [{ ...call, type: kind, ...(kind === 'custom_tool_call' && { input: 'x' }) }, item] });
const inUser = (part: Fields) => inItems({ role: 'user', content: [part] });
const inOutput = (part: Fields) =>
  asked({ input: [call, { type: 'function_call_output', call_id: 'c1', output: [part] }] });
const inSaid = (part: Fields) => inItems({ type: 'message', role: 'assistant', content: [part] });
const inTools = (tool: Fields) => asked({ tools: [tool] });
const inFormat = (format: Fields) => asked({ text: { format } });
const choosing = (tools: object[]) => (choice: Fields) => asked({ tools, tool_choice: choice });

/** Every item may have them; they are given back with the input of a response. */
const kept = { id: 'kept with the item', status: 'kept with the item' };
const typeOnly = (value: Fields, at: Example['at'], others: Fields): Example => ({ value, at, others });

const prompt = {
  model: 'sentinel',
  instructions: 'Sentinel',
  tools: [look],
  tool_choice: 'none',
  parallel_tool_calls: false,
  reasoning: { effort: 'low' },
  text: { format: { type: 'json_object' } },
};
const onlyHere = {
  truncation: 'responses.test.ts: it says what happens to what is too long',
};
const refusedFields = {
  conversation: 'conv_sentinel',
  previous_response_id: 'resp_sentinel',
};
const functionTool = {
  ...look,
  name: 'sentinel',
  description: 'Sentinel',
  parameters: schema,
  strict: true,
  allowed_callers: ['direct'],
  async: true,
  defer_loading: true,
  output_schema: schema,
};

const image = (type: string) => [
  { value: { type, image_url: url, detail: 'low', ...breakpoint } },
  { value: { type, file_id: 'sentinel' } },
];
const fileFields = { filename: 'sentinel.pdf', detail: 'low', ...breakpoint };
const file = (type: string) => [
  { value: { type, file_data: bytes, ...fileFields } },
  { value: { type, file_url: url } },
  { value: { type, file_id: 'sentinel' } },
];
const at = (where: Example['at']) => (part: { value: Fields }) => ({ ...part, at: where });

const examples: Record<string, Example | Example[]> = {
  ResponseCreateParamsBase: [
    {
      value: {
        ...prompt,
        input: 'Sentinel',
        max_output_tokens: 77,
        temperature: 0.25,
        top_p: 0.25,
        top_logprobs: 7,
        include: ['message.output_text.logprobs'],
        metadata: { a: 'sentinel' },
        stream: true,
        store: true,
        background: false,
        truncation: 'disabled',
        max_tool_calls: 7,
        prompt_cache_key: 'sentinel',
        prompt_cache_options: { mode: 'explicit' },
        prompt_cache_retention: '24h',
        safety_identifier: 'sentinel',
        service_tier: 'flex',
        user: 'sentinel',
        stream_options: { include_obfuscation: true },
        moderation: { model: 'sentinel' },
        access_programs: { cyber: 'standard' },
        image: { context_compression: 'auto' },
        background_options: { completion_window: '2h' },
      },
      at: asked,
      refused: { ...refusedFields, prompt: { id: 'sentinel' }, context_management: [{ type: 'compaction' }] },
      others: { input: 'Another' },
      elsewhere: {
        ...onlyHere,
        store: 'responses.test.ts: whether it can be asked for again',
        background: 'responses.test.ts: whether the answer is waited for',
      },
    },
  ],
  InputTokenCountParams: {
    url: '/v1/responses/input_tokens',
    value: { ...prompt, input: 'Sentinel', truncation: 'disabled', personality: 'friendly' },
    at: (value: Fields) => ({ input: 'Hi', ...value }),
    refused: refusedFields,
    others: { input: 'Another' },
    elsewhere: onlyHere,
  },
  ResponseCompactParams: {
    url: '/v1/responses/compact',
    value: {
      model: 'sentinel',
      input: 'Sentinel',
      instructions: 'Sentinel',
      prompt_cache_key: 'sentinel',
      prompt_cache_options: { mode: 'explicit' },
      prompt_cache_retention: '24h',
      service_tier: 'flex',
      image: { context_compression: 'auto' },
    },
    at: (value: Fields) => ({ input: 'Hi', ...value }),
    refused: { previous_response_id: 'resp_sentinel' },
    others: { input: 'Another' },
  },
  Reasoning: {
    value: { effort: 'none', summary: 'auto', context: 'auto', generate_summary: 'auto', mode: 'standard' },
    at: (reasoning: Fields) => asked({ reasoning }),
    elsewhere: { summary: 'from-core.test.ts: how reasoning comes' },
  },
  ResponseTextConfig: {
    value: { format: { type: 'json_object' }, verbosity: 'low' },
    at: (text: Fields) => asked({ text }),
  },
  'InputTokenCountParams.Text': {
    url: '/v1/responses/input_tokens',
    value: { format: { type: 'json_object' }, verbosity: 'low' },
    at: (text: Fields) => ({ input: 'Hi', text }),
  },
  ResponseFormatText: typeOnly({ type: 'text' }, inFormat, { type: 'json_object' }),
  ResponseFormatJSONObject: typeOnly({ type: 'json_object' }, inFormat, { type: 'text' }),
  ResponseFormatTextJSONSchemaConfig: {
    value: { type: 'json_schema', name: 'sentinel', description: 'Sentinel', schema, strict: true },
    at: inFormat,
    others: { schema: { type: 'object' } },
  },
  EasyInputMessage: {
    value: { type: 'message', role: 'user', content: 'Sentinel', phase: 'commentary' },
    at: inItems,
    others: { role: 'system' },
    elsewhere: { type: 'an item with a role is a message' },
  },
  'ResponseInputItem.Message': {
    value: { type: 'message', role: 'user', content: 'Sentinel', status: 'completed' },
    at: inItems,
    others: { role: 'system' },
    elsewhere: { ...kept, type: 'an item with a role is a message' },
  },
  ResponseOutputMessage: {
    value: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'Sentinel' }],
      status: 'completed',
      phase: 'commentary',
    },
    at: inItems,
    others: { role: 'user', content: 'Another', type: 'reasoning' },
    elsewhere: kept,
  },
  ResponseInputText: { value: { type: 'input_text', text: 'Sentinel', ...breakpoint }, at: inUser },
  ResponseInputTextContent: { value: { type: 'input_text', text: 'Sentinel', ...breakpoint }, at: inOutput },
  ResponseInputImage: image('input_image').map(at(inUser)),
  ResponseInputImageContent: image('input_image').map(at(inOutput)),
  ResponseInputFile: file('input_file').map(at(inUser)),
  ResponseInputFileContent: file('input_file').map(at(inOutput)),
  ResponseOutputText: {
    value: {
      type: 'output_text',
      text: 'Sentinel',
      annotations: [{ type: 'file_path', file_id: 'x', index: 0 }],
      logprobs: [{ token: 'x', bytes: [], logprob: 0, top_logprobs: [] }],
    },
    at: inSaid,
  },
  ResponseOutputRefusal: { value: { type: 'refusal', refusal: 'Sentinel' }, at: inSaid },
  ResponseFunctionToolCall: {
    value: { ...call, id: 'fc_1', status: 'completed', ...foreign, async: true, namespace: 'sentinel' },
    at: inItems,
    elsewhere: kept,
  },
  'ResponseInputItem.FunctionCallOutput': {
    value: {
      type: 'function_call_output',
      id: 'fco_1',
      call_id: 'c1',
      output: 'Sentinel',
      status: 'completed',
      name: 'look',
      namespace: 'sentinel',
      ...foreign,
    },
    at: answering('function_call'),
    elsewhere: kept,
  },
  ResponseCustomToolCall: {
    value: {
      type: 'custom_tool_call',
      id: 'ctc_1',
      call_id: 'c1',
      name: 'sentinel',
      input: 'Sentinel',
      ...foreign,
      async: true,
      namespace: 'x',
    },
    at: inItems,
    elsewhere: kept,
  },
  ResponseCustomToolCallOutput: {
    value: { type: 'custom_tool_call_output', id: 'ctco_1', call_id: 'c1', output: 'Sentinel', ...foreign },
    at: answering('custom_tool_call'),
    others: { type: 'reasoning' },
    elsewhere: kept,
  },
  'ResponseInputItem.LocalShellCall': {
    value: { type: 'local_shell_call', id: 'x', call_id: 'c1', action: { command: ['ls'] }, status: 'completed' },
    at: inItems,
    others: { action: { command: ['pwd'] } },
    elsewhere: kept,
  },
  'ResponseInputItem.LocalShellCall.Action': {
    value: {
      type: 'exec',
      command: ['ls'],
      env: { A: 'b' },
      timeout_ms: 7,
      user: 'sentinel',
      working_directory: '/sentinel',
    },
    at: (action: Fields) => inItems({ type: 'local_shell_call', call_id: 'c1', action }),
    elsewhere: { type: 'exec is the only one' },
  },
  'ResponseInputItem.LocalShellCallOutput': {
    value: { type: 'local_shell_call_output', id: 'c1', output: 'Sentinel', status: 'completed' },
    at: answering('function_call'),
    elsewhere: { status: kept.status },
  },
  'ResponseInputItem.ApplyPatchCall': {
    value: {
      type: 'apply_patch_call',
      id: 'x',
      call_id: 'c1',
      operation: { type: 'delete_file', path: 'a' },
      status: 'completed',
      ...foreign,
    },
    at: inItems,
    others: { operation: { type: 'delete_file', path: 'b' } },
    elsewhere: kept,
  },
  ...Object.fromEntries(
    [
      ['CreateFile', { type: 'create_file', path: 'a', diff: '+a' }],
      ['UpdateFile', { type: 'update_file', path: 'a', diff: '+a' }],
      ['DeleteFile', { type: 'delete_file', path: 'a' }],
    ].map(([name, value]) => [
      `ResponseInputItem.ApplyPatchCall.${name}`,
      {
        value: value as Fields,
        at: (operation: Fields) => inItems({ type: 'apply_patch_call', call_id: 'c1', operation }),
      },
    ]),
  ),
  'ResponseInputItem.ApplyPatchCallOutput': {
    value: {
      type: 'apply_patch_call_output',
      id: 'x',
      call_id: 'c1',
      status: 'completed',
      output: 'Sentinel',
      ...foreign,
    },
    at: answering('function_call'),
    others: { status: 'failed' },
    elsewhere: { id: kept.id },
  },
  ResponseReasoningItem: [
    {
      value: {
        type: 'reasoning',
        id: 'rs_1',
        status: 'completed',
        content: [{ type: 'reasoning_text', text: 'Sentinel' }],
        encrypted_content: 'sentinel',
      },
      at: inItems,
      others: { content: [{ type: 'reasoning_text', text: 'Another' }] },
      elsewhere: kept,
    },
    {
      value: { summary: [{ type: 'summary_text', text: 'Sentinel' }] },
      at: (value: Fields) => inItems({ type: 'reasoning', ...value }),
    },
  ],
  'ResponseReasoningItem.Content': {
    value: { type: 'reasoning_text', text: 'Sentinel' },
    at: (part: Fields) => inItems({ type: 'reasoning', summary: [], content: [part] }),
  },
  'ResponseReasoningItem.Summary': {
    value: { type: 'summary_text', text: 'Sentinel' },
    at: (part: Fields) => inItems({ type: 'reasoning', summary: [part] }),
  },
  ResponseConfigurationUpdateItemParam: {
    value: {
      type: 'configuration_update',
      id: 'x',
      reasoning: { effort: 'none' },
      text: { format: { type: 'json_object' } },
    },
    at: inItems,
    elsewhere: { id: kept.id },
  },
  'ResponseConfigurationUpdateItemParam.Reasoning': {
    value: { effort: 'none' },
    at: (reasoning: Fields) => inItems({ type: 'configuration_update', reasoning }),
  },
  'ResponseConfigurationUpdateItemParam.Text': {
    value: { format: { type: 'json_object' } },
    at: (text: Fields) => inItems({ type: 'configuration_update', text }),
  },
  'ResponseInputItem.AdditionalTools': {
    value: { type: 'additional_tools', id: 'x', role: 'developer', tools: [look] },
    at: inItems,
    others: { tools: [{ ...look, name: 'other' }] },
    elsewhere: { id: kept.id },
  },
  FunctionTool: { value: functionTool, at: inTools },
  CustomTool: {
    value: {
      type: 'custom',
      name: 'sentinel',
      description: 'Sentinel',
      format: { type: 'grammar', syntax: 'regex', definition: 'a+' },
      allowed_callers: ['direct'],
      async: true,
      defer_loading: true,
    },
    at: inTools,
  },
  'CustomToolInputFormat.Text': {
    value: { type: 'text' },
    at: (format: Fields) => inTools({ type: 'custom', name: 'a', format }),
  },
  'CustomToolInputFormat.Grammar': {
    // Of use in either syntax.
    value: { type: 'grammar', syntax: 'regex', definition: 'start: "a"' },
    at: (format: Fields) => inTools({ type: 'custom', name: 'a', format }),
    others: { syntax: 'lark' },
  },
  ApplyPatchTool: { value: { type: 'apply_patch', allowed_callers: ['direct'] }, at: inTools },
  'Tool.LocalShell': { value: { type: 'local_shell' }, at: inTools },
  ToolChoiceAllowed: {
    value: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'look' }] },
    at: choosing([look, { ...look, name: 'other' }]),
    others: { mode: 'auto', tools: [{ type: 'function', name: 'other' }] },
  },
  ToolChoiceFunction: {
    value: { type: 'function', name: 'look' },
    at: choosing([look]),
    others: { name: 'tool_name' },
  },
  ToolChoiceCustom: {
    value: { type: 'custom', name: 'write' },
    at: choosing([{ type: 'custom', name: 'write' }]),
    others: { name: 'tool_name' },
  },
  ToolChoiceApplyPatch: { value: { type: 'apply_patch' }, at: choosing([{ type: 'apply_patch' }]) },
};

describe('the fields of OpenAI Responses', () => {
  testFieldMatrix({
    api: 'responses',
    url: '/v1/responses',
    examples,
    parts: [
      [
        /^(Response)?(FileSearch|WebSearch|Computer|Container|NamespaceTool|FunctionShell|ToolSearch|CompoundF|Comp.*Filter)/,
        'of tools that are refused by their type',
      ],
      [/^Tool\.(CodeInterpreter|ImageGeneration|Mcp|Programmatic)/, 'of tools that are refused by their type'],
      [/^(ToolChoiceMcp|ToolChoiceShell|ToolChoiceTypes)$|SpecificProgrammatic/, 'choices of tools that are refused'],
      [/^(Inline|Local)?Skill|^LocalEnvironment|^ComparisonFilter/, 'of tools that are refused by their type'],
      [
        /^Response(CodeInterpreter|FileSearch|FunctionWebSearch|Computer|FunctionShell|ToolSearch)/,
        'items that are refused',
      ],
      [/^ResponseInputItem\.(CompactionTrigger|ComputerCall|ImageGeneration|Mcp|Program|Shell|ToolSearch)/, 'so too'],
      [/^McpToolCallError/, 'of items that are refused by their type'],
      [/\.(Direct|Program)$/, 'of caller, which is named as a whole'],
      [/PromptCacheBreakpoint$/, 'named as a whole'],
      [/^ResponseOutputText\./, 'of annotations and logprobs, which are named as a whole'],
      [/^Response(Create|Compact)Params\./, 'of fields that are ignored or refused as a whole'],
      [/^Response(Prompt|ConversationParam|Input(File|Image|Text)\.)/, 'of fields that are refused or ignored'],
      [/^ResponseCompactionItemParam$/, 'responses.test.ts: it is what /v1/responses/compact has made, or is refused'],
      [/^ResponseInputItem\.ItemReference$/, 'responses.test.ts: it stands for an item that is kept'],
    ],
  });
});
