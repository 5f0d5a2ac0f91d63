import type { ToolDefinition } from '../../src/core/chat.ts';
import { chatGlmForm } from '../../src/worker/families/chatglm.ts';
import type { ToolCallForm } from '../../src/worker/families/form.ts';
import { gemmaForm } from '../../src/worker/families/gemma.ts';
import { genericForm } from '../../src/worker/families/generic-form.ts';
import { gigaChatForm } from '../../src/worker/families/gigachat.ts';
import { glmForm } from '../../src/worker/families/glm.ts';
import { harmonyForm } from '../../src/worker/families/harmony.ts';
import { hermesForm } from '../../src/worker/families/hermes.ts';
import { atemForm, dsmlForm, kimiTagsForm, minimaxForm } from '../../src/worker/families/invoke.ts';
import {
  aprielForm,
  commandActionForm,
  commandForm,
  graniteForm,
  minimaxLinesForm,
} from '../../src/worker/families/json-list.ts';
import { lfmForm } from '../../src/worker/families/lfm.ts';
import { llamaForm } from '../../src/worker/families/llama.ts';
import { minimaxTreeForm } from '../../src/worker/families/minimax-tree.ts';
import { mistralForm } from '../../src/worker/families/mistral.ts';
import { apertusForm, deepSeekForm, kimiForm } from '../../src/worker/families/named-json.ts';
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
  /** The prompt already opened the reasoning. */
  startsInReasoning?: boolean;
  text: string;
  reasoning: string;
  calls: { name: string; arguments: Record<string, unknown> }[];
}

const oslo = { name: 'get_weather', arguments: { city: 'Oslo', days: 3 } };
const now = { name: 'now', arguments: {} };
const harmony = '<|channel|>analysis<|message|>';
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
    qwenCoderForm(),
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
    qwenCoderForm(),
    '<think>\nHm.\n</think>\n\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\n42\n</parameter>\n</function>\n</tool_call>',
    { reasoning: 'Hm.', calls: [now, { name: 'get_weather', arguments: { city: '42' } }] },
  ),
  row(
    'Qwen3-Coder: the outer tag left out',
    qwenCoderForm(),
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
  row(
    'DeepSeek R1: reasoning that the prompt opened, and two calls in blocks',
    deepSeekForm('fenced'),
    'Hm.\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Oslo", "days": 3}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    { reasoning: 'Hm.', calls: [oslo, now], startsInReasoning: true },
  ),
  row(
    'DeepSeek V3: words, and the example of its template with a line break before the end',
    deepSeekForm('fenced'),
    'I look.\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\n  "city": "Oslo",\n  "days": 3\n}\n```\n<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    { text: 'I look.' },
  ),
  row(
    'DeepSeek V3.1: names alone, a tool that is called as others write the kind',
    deepSeekForm('plain'),
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo", "days": 3}<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    { calls: [oslo, now] },
  ),
  row(
    'DeepSeek, distilled: a marker in other words, and no end',
    deepSeekForm('fenced'),
    '<｜tool_calls_begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜>',
    { calls: [now] },
  ),
  row(
    'DeepSeek V4: tags that say what is a string',
    dsmlForm('tool_calls'),
    'let me\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">10</｜DSML｜parameter>\n<｜DSML｜parameter name="hours" string="false">[1, 2]</｜DSML｜parameter>\n<｜DSML｜parameter name="more" string="false">{"a": null}</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="now">\n\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    {
      text: 'let me',
      calls: [{ name: 'get_weather', arguments: { city: '10', hours: [1, 2], more: { a: null } } }, now],
    },
  ),
  row(
    'gpt-oss: analysis, commentary to the user, and a call',
    harmonyForm,
    '<|channel|>analysis<|message|>The weather.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Oslo", "days": 3}<|call|>',
    { template: harmony, reasoning: 'The weather.', text: 'I look.' },
  ),
  row(
    'gpt-oss: the recipient before the channel, as the template writes it',
    harmonyForm,
    '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}<|call|>',
    { template: harmony, reasoning: 'Hm.', calls: [now] },
  ),
  row(
    'gpt-oss: a call first of all, behind the beginning that the prompt wrote',
    harmonyForm,
    ' to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Oslo", "days": 3}<|call|>',
    { template: harmony },
  ),
  row(
    'gpt-oss: two thoughts and an answer',
    harmonyForm,
    '<|channel|>analysis<|message|>One.<|end|><|start|>assistant<|channel|>analysis<|message|>Two.<|end|><|start|>assistant<|channel|>final<|message|>It rains.<|return|>',
    { template: harmony, reasoning: 'One.Two.', text: 'It rains.', calls: [] },
  ),
  row(
    'Kimi K2: reasoning and two calls in a section',
    kimiForm,
    '<think>Hm.</think>let me<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo", "days": 3}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
    { reasoning: 'Hm.', text: 'let me', calls: [oslo, now] },
  ),
  row(
    'Kimi K3: tags with types, behind a thought and words',
    kimiTagsForm,
    'hmm<|close|>think<|sep|><|open|>response<|sep|>let me<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Oslo\n<b><|close|>argument<|sep|><|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|><|open|>argument key="more" type="string"<|sep|>7<|close|>argument<|sep|><|close|>call<|sep|><|open|>call tool="now" index="2"<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>',
    {
      template: "open_tag('think'",
      startsInReasoning: true,
      reasoning: 'hmm',
      text: 'let me',
      calls: [{ name: 'get_weather', arguments: { city: 'Oslo\n<b>', days: 3, more: '7' } }, now],
    },
  ),
  row(
    'MiniMax M2: two calls in one pair of tags',
    minimaxForm,
    '<think>\nhmm\n</think>\n\nlet me\n<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n<parameter name="days">3</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>',
    { reasoning: 'hmm', text: 'let me', calls: [oslo, now] },
  ),
  row(
    'MiniMax M3: tags within tags',
    minimaxTreeForm,
    '<mm:think>hmm</mm:think>let me]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Oslo]<]minimax[>[</city>]<]minimax[>[<days>3]<]minimax[>[</days>]<]minimax[>[<hours>]<]minimax[>[<item>1]<]minimax[>[</item>]<]minimax[>[<item>2]<]minimax[>[</item>]<]minimax[>[</hours>]<]minimax[>[<more>]<]minimax[>[<a>x]<]minimax[>[</a>]<]minimax[>[</more>]<]minimax[>[</invoke>\n]<]minimax[>[<invoke name="now">]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>',
    {
      template: '<mm:think>',
      reasoning: 'hmm',
      text: 'let me',
      calls: [{ name: 'get_weather', arguments: { city: 'Oslo', days: 3, hours: [1, 2], more: { a: 'x' } } }, now],
    },
  ),
  row(
    'MiniMax M1: a line for each call',
    minimaxLinesForm,
    '<tool_calls>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}\n{"name": "now", "arguments": {}}\n</tool_calls>',
    { calls: [oslo, now] },
  ),
  row(
    'Apriel 1.6: steps that the prompt opened, and a list',
    aprielForm,
    'First.\n[BEGIN FINAL RESPONSE]\nlet me\n<tool_calls>[{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}, "id": "a1"}, {"name": "now", "arguments": {}, "id": "b"}]</tool_calls>\n[END FINAL RESPONSE]',
    {
      template: 'Here are my reasoning steps:',
      startsInReasoning: true,
      reasoning: 'First.',
      text: 'let me',
      calls: [oslo, now],
    },
  ),
  row(
    'Command R7B: a plan and two actions',
    commandForm,
    '<|START_THINKING|>Two things.<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo", "days": 3}},\n    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>',
    { template: '<|START_THINKING|>', reasoning: 'Two things.', calls: [oslo, now] },
  ),
  row(
    'Command R+: actions as a block of JSON',
    commandActionForm,
    'I will look.\nAction:\n```json\n[\n    {\n        "tool_name": "get_weather",\n        "parameters": {"city": "Oslo", "days": 3}\n    }\n]\n```',
    { text: 'I will look.' },
  ),
  row(
    'Apertus: names as keys, behind deliberation',
    apertusForm,
    '<|inner_prefix|>Hm.<|inner_suffix|>let me<|tools_prefix|>[{"get_weather": {"city": "Oslo", "days": 3}}, {"now": {}}]<|tools_suffix|>',
    { template: '<|inner_prefix|>', reasoning: 'Hm.', text: 'let me', calls: [oslo, now] },
  ),
  row(
    'GigaChat 3: a message of its own behind words',
    gigaChatForm,
    'let me<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}<|message_sep|>\n\n',
    { text: 'let me' },
  ),
  row(
    'Muse Glimmer: a message to itself, then one to each tool',
    atemForm,
    ' to=self<|message|>hmm<|eom|><|start|>assistant to=get_weather<|message|><atem:function_calls>\n<atem:invoke name="get_weather">\n<atem:parameter name="city">Oslo</atem:parameter>\n<atem:parameter name="days">3</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|><|start|>assistant to=now<|message|><atem:function_calls>\n<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls>',
    { template: 'to=self<|message|>', reasoning: 'hmm', calls: [oslo, now] },
  ),
  row(
    'Seed-OSS: a tag of its own, values on the line of theirs',
    qwenCoderForm({ tag: 'seed:tool_call', line: '' }),
    '<seed:think>hmm</seed:think>let me\n<seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo\n</parameter>\n<parameter=days>3</parameter>\n</function>\n</seed:tool_call>',
    {
      template: '<seed:think>',
      reasoning: 'hmm',
      text: 'let me',
      calls: [{ name: 'get_weather', arguments: { city: 'Oslo\n', days: 3 } }],
    },
  ),
  row(
    'A template without tools: the object alone',
    genericForm,
    '{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}',
  ),
  row(
    'A template without tools: as our instructions ask',
    genericForm,
    'I look.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}\n</tool_call>\nDone.',
    { text: 'I look.Done.' },
  ),
  row(
    'LFM 2.5: single quotes, words in front',
    lfmForm,
    "let me<|tool_call_start|>[get_weather(city='Oslo', days=3), now()]<|tool_call_end|>",
    { text: 'let me', calls: [oslo, now] },
  ),
  row(
    'Ministral 3: a thought in brackets, words and two calls',
    mistralForm('named'),
    '[THINK]Hm.[/THINK]let me[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo", "days": 3}[TOOL_CALLS]now[ARGS]{}',
    { template: '[/THINK]', reasoning: 'Hm.', text: 'let me', calls: [oslo, now] },
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
  ].map((output) => ({ title: 'qwen-coder', form: qwenCoderForm(), output })),
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
  ...[
    '<｜tool▁calls▁begin｜>words',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{"a": ',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now{}',
    'a <｜tool▁calls▁be',
  ].map((output) => ({ title: 'deepseek', form: deepSeekForm('fenced'), output })),
  ...[
    '<minimax:tool_call>\n<invoke name="now">\nwords</invoke>',
    '<minimax:tool_call>\n<invoke',
    '<minimax:tool_call>no</minimax:tool_call>',
  ].map((output) => ({ title: 'minimax', form: minimaxForm, output })),
  ...['<|tools_prefix|>[]<|tools_suffix|>', '<|tools_prefix|>[{"now": 3}]', '<|tools_prefix|>{"now": {}}'].map(
    (output) => ({
      title: 'apertus',
      form: apertusForm,
      output,
    }),
  ),
  ...['{"name": "Bob", "arguments": {}}', '{"name": "now", "arguments": 3}', '{"name": "now"}', '{"city": "Oslo"}'].map(
    (output) => ({ title: 'generic', form: genericForm, output }),
  ),
  ...[
    ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="now">]<]minimax[>[</invoke',
    ']<]minimax[>[<tool_call>words]<]minimax[>[</tool_call>',
  ].map((output) => ({ title: 'minimax-tree', form: minimaxTreeForm, output })),
  { title: 'kimi', form: kimiForm, output: '<|tool_calls_section_begin|><|tool_call_begin|>functions.now:0{}' },
  { title: 'command', form: commandForm, output: '<|START_ACTION|>[{"tool_name": 3}]<|END_ACTION|>' },
  { title: 'harmony', form: harmonyForm, output: '<|channel|>commentary to=functions.now{}' },
  { title: 'granite', form: graniteForm, output: '<|tool_call|>[{"name": "now"' },
];
