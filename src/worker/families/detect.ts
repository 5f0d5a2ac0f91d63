import { chatGlmForm } from './chatglm.ts';
import type { ToolCallForm } from './form.ts';
import { gemmaForm } from './gemma.ts';
import { gigaChatForm } from './gigachat.ts';
import { glmForm } from './glm.ts';
import { harmonyForm } from './harmony.ts';
import { hermesForm } from './hermes.ts';
import { atemForm, dsmlForm, kimiTagsForm, minimaxForm } from './invoke.ts';
import { aprielForm, commandActionForm, commandForm, graniteForm, minimaxLinesForm } from './json-list.ts';
import { lfmForm } from './lfm.ts';
import { llamaForm } from './llama.ts';
import { minimaxTreeForm } from './minimax-tree.ts';
import { mistralForm } from './mistral.ts';
import { apertusForm, deepSeekForm, kimiForm } from './named-json.ts';
import { qwenCoderForm } from './qwen-coder.ts';

/** Texts that all stand in a template, and what they tell. Special texts come before those that several forms share. */
const signs: readonly [texts: readonly string[], form: (has: (text: string) => boolean) => ToolCallForm][] = [
  [['<|tool_call>call:'], () => gemmaForm],
  [['[TOOL_CALLS]'], (has) => mistralForm(has('[ARGS]') ? 'named' : 'list')],
  [['<|channel|>commentary', 'functions.'], () => harmonyForm],
  [['<|tool_call_start|>'], () => lfmForm],
  [['<|tool_list_start|>'], () => lfmForm],
  [['<atem:invoke'], () => atemForm],
  [[']<]minimax[>[', '<tool_call>'], () => minimaxTreeForm],
  [['<minimax:tool_call>'], () => minimaxForm],
  [['｜DSML｜'], (has) => dsmlForm(has('tool_calls>') || has("'tool_calls'") ? 'tool_calls' : 'function_calls')],
  [['<｜tool▁call▁begin｜>'], (has) => deepSeekForm(has('```json') ? 'fenced' : 'plain')],
  [['<|tool_calls_section_begin|>'], () => kimiForm],
  [["open_tag('call'"], () => kimiTagsForm],
  [['<|tools_prefix|>'], () => apertusForm],
  [['<|START_ACTION|>'], () => commandForm],
  [["'Action:\\' followed by a json"], () => commandActionForm],
  [['function call', '<|role_sep|>'], () => gigaChatForm],
  [
    ['<function=', '<parameter='],
    (has) => (has('<seed:tool_call>') ? qwenCoderForm({ tag: 'seed:tool_call', line: '' }) : qwenCoderForm()),
  ],
  [['<arg_key>'], (has) => glmForm(has('</arg_key>\\n<arg_value>') || has('</arg_key>\n<arg_value>') ? '\n' : '')],
  [['<tool_calls>['], () => aprielForm],
  [['<tool_calls>'], () => minimaxLinesForm],
  [['<|tool_call|>'], () => graniteForm],
  [['<tool_call>'], () => hermesForm],
  [['[gMASK]', '<|observation|>'], (has) => chatGlmForm(has('tool_call(') ? 'python' : 'json')],
  [['"parameters": ', '{"name": '], () => llamaForm],
];

/**
 * The form of tool calls that a template writes, by texts that stand in it; null for a template without tools, which
 * then get instructions of ours.
 */
export function detectForm(source: string): ToolCallForm | null {
  // The variable itself: neither the word in a sentence nor a message's own field (`message['tools']`).
  if (!/\b(?:if|in|not|and|or)\s+\(?tools\b|\btools\s*(?:\||is\b|%\})/.test(source)) return null;
  const has = (text: string) => source.includes(text);
  return signs.find(([texts]) => texts.every(has))?.[1](has) ?? null;
}
