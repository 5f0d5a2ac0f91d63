import type { ToolDefinition } from '../../src/core/chat.ts';
import { chatGlmForm } from '../../src/worker/families/chatglm.ts';
import type { ToolCallForm } from '../../src/worker/families/form.ts';
import { gemmaForm } from '../../src/worker/families/gemma.ts';
import { glmForm } from '../../src/worker/families/glm.ts';
import { graniteForm } from '../../src/worker/families/granite.ts';
import { hermesForm } from '../../src/worker/families/hermes.ts';
import { lfmForm } from '../../src/worker/families/lfm.ts';
import { llamaForm } from '../../src/worker/families/llama.ts';
import { mistralForm } from '../../src/worker/families/mistral.ts';
import { qwenCoderForm } from '../../src/worker/families/qwen-coder.ts';

/** The tools of every recorded answer. */
export const recordedTools: ToolDefinition[] = [
  {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string' },
        days: { type: 'integer' },
        detailed: { type: 'boolean' },
        hours: { type: 'array', items: { type: 'integer' } },
        unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
      },
      required: ['city'],
    },
  },
  { name: 'now', parameters: { type: 'object', properties: {} } },
];

export interface RecordedAnswer {
  title: string;
  form: ToolCallForm;
  /** What the model wrote, control tokens of its form included. */
  output: string;
  /** Text of the template that names other reasoning tags than `<think>`. */
  template?: string;
  text: string;
  reasoning: string;
  calls: { name: string; arguments: Record<string, unknown> }[];
}

const oslo = { name: 'get_weather', arguments: { city: 'Oslo', days: 3 } };
const now = { name: 'now', arguments: {} };
const row = (
  title: string,
  form: ToolCallForm,
  output: string,
  rest: Partial<Omit<RecordedAnswer, 'title' | 'form' | 'output'>> = {},
): RecordedAnswer => ({ title, form, output, text: '', reasoning: '', calls: [oslo], ...rest });

/** Answers with calls as the families' own templates and documents write them. */
export const recordedAnswers: readonly RecordedAnswer[] = [
  row(
    'Qwen 3: reasoning, words and two calls',
    hermesForm,
    '<think>\nTwo things.\n</think>\n\nLet me look.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    { reasoning: 'Two things.', text: 'Let me look.', calls: [oslo, now] },
  ),
  row(
    'Hermes 3: arguments before the name',
    hermesForm,
    '<tool_call>\n{"arguments": {"city": "Oslo", "days": 3}, "name": "get_weather"}\n</tool_call>',
  ),
  row(
    'Hermes: braces, quotes and tags within a string',
    hermesForm,
    '<tool_call>{"name": "get_weather", "arguments": {"city": "a \\"}{ </tool_call> \\\\ é"}}</tool_call>',
    { calls: [{ name: 'get_weather', arguments: { city: 'a "}{ </tool_call> \\ é' } }] },
  ),
  row(
    'Hermes: arguments as a string of JSON',
    hermesForm,
    '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\", \\"days\\": 3}"}</tool_call>',
  ),
  row('Hermes: no arguments at all', hermesForm, '<tool_call>{"name": "now"}</tool_call>', { calls: [now] }),
  row(
    'Qwen3-Coder: words, typed parameters, lines in a value',
    qwenCoderForm,
    'I will look.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n<b>North</b>\n</parameter>\n<parameter=days>\n3\n</parameter>\n<parameter=detailed>\nTrue\n</parameter>\n<parameter=hours>\n[1, 2]\n</parameter>\n</function>\n</tool_call>',
    {
      text: 'I will look.',
      calls: [
        {
          name: 'get_weather',
          arguments: { city: 'Oslo\n<b>North</b>', days: 3, detailed: true, hours: [1, 2] },
        },
      ],
    },
  ),
  row(
    'Qwen3.5: reasoning and two calls, one without parameters',
    qwenCoderForm,
    '<think>\nHm.\n</think>\n\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\n42\n</parameter>\n</function>\n</tool_call>',
    { reasoning: 'Hm.', calls: [now, { name: 'get_weather', arguments: { city: '42' } }] },
  ),
  row(
    'Qwen3-Coder: the outer tag left out',
    qwenCoderForm,
    'Sure.\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>',
    { text: 'Sure.' },
  ),
  row(
    'GLM 4.6: reasoning and a call in lines',
    glmForm('\n'),
    '\n<think>Weather.</think>\nI look.\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>',
    { reasoning: 'Weather.', text: 'I look.' },
  ),
  row(
    'GLM 4.7: two calls without line breaks, a string that looks like a number',
    glmForm(''),
    '<tool_call>get_weather<arg_key>city</arg_key><arg_value>10</arg_value><arg_key>hours</arg_key><arg_value>[6, 7]</arg_value></tool_call><tool_call>now</tool_call>',
    { calls: [{ name: 'get_weather', arguments: { city: '10', hours: [6, 7] } }, now] },
  ),
  row(
    'GLM-4: the name on the first line, JSON behind it',
    chatGlmForm('json'),
    '\nget_weather\n{"city": "Oslo", "days": 3}',
  ),
  row(
    'ChatGLM3: a Python call in a code block',
    chatGlmForm('python'),
    "get_weather\n ```python\ntool_call(city='Oslo', days=3)\n```",
  ),
  row('Llama 3.1: bare JSON', llamaForm, '{"name": "get_weather", "parameters": {"city": "Oslo", "days": 3}}'),
  row(
    'Llama 3.1: python tag, the type named, two calls',
    llamaForm,
    '<|python_tag|>{"type": "function", "name": "get_weather", "parameters": {"city": "Oslo", "days": 3}}; {"name": "now", "parameters": {}}',
    { calls: [oslo, now] },
  ),
  row('Llama 3.2: white space in front', llamaForm, '\n\n{ "name": "now", "parameters": {} }\n', { calls: [now] }),
  row(
    'Mistral Nemo: a list of two calls with ids',
    mistralForm('list'),
    '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}, "id": "abcdef123"}, {"name": "now", "arguments": {}}]',
    { calls: [oslo, now] },
  ),
  row(
    'Mistral Small 3.2: name, id and arguments, twice, after words',
    mistralForm('named'),
    'I look.[TOOL_CALLS]get_weather[CALL_ID]abcdef123[ARGS]{"city": "Oslo", "days": 3}[TOOL_CALLS]now[ARGS]{}',
    { text: 'I look.', calls: [oslo, now] },
  ),
  row('Magistral: reasoning in brackets', mistralForm('named'), '[THINK]Hm.[/THINK][TOOL_CALLS]now[ARGS]{}', {
    template: '[THINK][/THINK]',
    reasoning: 'Hm.',
    calls: [now],
  }),
  row(
    'Granite 3: a list behind its token',
    graniteForm,
    '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}]',
  ),
  row(
    'Phi-4 mini: a list between its tokens',
    graniteForm,
    '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}]<|/tool_call|>',
  ),
  row(
    'Gemma 4: a thought, words, and nested arguments',
    gemmaForm,
    '<|channel>thought\nThe weather.\n<channel|>I look.<|tool_call>call:get_weather{city:<|"|>Oslo, "N"<|"|>,detailed:true,hours:[1,2],more:{<|"|>a b<|"|>:null,c:-1.5}}<tool_call|>',
    {
      template: '<|channel>thought',
      reasoning: 'The weather.',
      text: 'I look.',
      calls: [
        {
          name: 'get_weather',
          arguments: { city: 'Oslo, "N"', detailed: true, hours: [1, 2], more: { 'a b': null, c: -1.5 } },
        },
      ],
    },
  ),
  row(
    'Gemma 4: two calls in a row',
    gemmaForm,
    '<|tool_call>call:get_weather{city:<|"|>Oslo<|"|>,days:3}<tool_call|><|tool_call>call:now{}<tool_call|>',
    { calls: [oslo, now] },
  ),
  row(
    'LFM 2: Python calls in a list, words behind them',
    lfmForm,
    '<|tool_call_start|>[get_weather(city="Oslo", days=3), now()]<|tool_call_end|>Checking.',
    { text: 'Checking.', calls: [oslo, now] },
  ),
];

/** Answers that only look like calls: every character of them has to come back as text. */
export const brokenAnswers: readonly { title: string; form: ToolCallForm; output: string }[] = [
  ...[
    '<tool_call>not json</tool_call>',
    '<tool_call>{"name": "now", "arg',
    '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "now", "arguments": [1]}</tool_call>',
    'Write\n\n<tool_call>{"name": "now" "arguments": {}}</tool_call> like this.',
    'a <tool_cal',
  ].map((output) => ({ title: 'hermes', form: hermesForm, output })),
  ...[
    '<tool_call>\n<function=now',
    '<tool_call>\n<function=now>\n<parameter=city>\nOslo',
    '<tool_call>\n<function=now>\nwords\n</function>\n</tool_call>',
    '<tool_call>\n{"name": "now"}\n</tool_call>',
    'Use <function= to begin.',
  ].map((output) => ({ title: 'qwen-coder', form: qwenCoderForm, output })),
  ...[
    '<tool_call>now<arg_key>a</arg_key>',
    '<tool_call>two words</tool_call>',
    '<tool_call>now\n<arg_key>a</arg_key>\n<arg_value>b',
  ].map((output) => ({ title: 'glm', form: glmForm('\n'), output })),
  ...[
    '{"name": "Bob", "parameters": {}}',
    '{"city": "Oslo"}',
    '{"name": "now", "parameters": {"a": ',
    '{"name": "now", "parameters": 3}',
    'Look: {"name": "now", "parameters": {}}',
    '<|python_tag|>print("hi")',
    '{',
  ].map((output) => ({ title: 'llama', form: llamaForm, output })),
  ...[
    '[TOOL_CALLS]now',
    '[TOOL_CALLS]now[ARGS]{"a": ',
    '[TOOL_CALLS]now[ARGS]{a}',
    '[TOOL_CALLS][{"name": 3}]',
    '[TOOL_CALLS] [1]',
    'a [TOOL',
  ].map((output) => ({ title: 'mistral', form: mistralForm('list'), output })),
  ...['now\nwords', 'now', 'now\n{"a": ', 'now\n```python\nprint(1)\n```', 'now and then'].map((output) => ({
    title: 'chatglm',
    form: chatGlmForm('json'),
    output,
  })),
  ...[
    '<|tool_call>call:now{',
    '<|tool_call>now{}<tool_call|>',
    '<|tool_call>call:now{a:b}<tool_call|>',
    '<|tool_call>call:now{a:<|"|>b}<tool_call|>',
  ].map((output) => ({ title: 'gemma', form: gemmaForm, output })),
  ...['<|tool_call_start|>[now(1)]<|tool_call_end|>', '<|tool_call_start|>[now('].map((output) => ({
    title: 'lfm',
    form: lfmForm,
    output,
  })),
  { title: 'granite', form: graniteForm, output: '<|tool_call|>[{"name": "now"' },
];
