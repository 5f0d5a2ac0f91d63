import { chatGlmForm } from './chatglm.ts';
import type { ToolCallForm } from './form.ts';
import { gemmaForm } from './gemma.ts';
import { glmForm } from './glm.ts';
import { graniteForm } from './granite.ts';
import { hermesForm } from './hermes.ts';
import { lfmForm } from './lfm.ts';
import { llamaForm } from './llama.ts';
import { mistralForm } from './mistral.ts';
import { qwenCoderForm } from './qwen-coder.ts';

/**
 * The form of tool calls that a template writes, by texts that stand in it; null for a template without tools, which
 * then get instructions of ours. Special texts come before those that several forms share.
 */
export function detectForm(source: string): ToolCallForm | null {
  const has = (...texts: string[]) => texts.every((text) => source.includes(text));
  // The variable itself: neither the word in a sentence nor a message's own field (`message['tools']`).
  if (!/\b(?:if|in|not|and|or)\s+\(?tools\b|\btools\s*(?:\||is\b|%\})/.test(source)) return null;
  if (has('<|tool_call>call:')) return gemmaForm;
  if (has('[TOOL_CALLS]')) return mistralForm(has('[ARGS]') ? 'named' : 'list');
  if (has('<|tool_list_start|>')) return lfmForm;
  if (has('<function=', '<parameter=')) return qwenCoderForm;
  if (has('<arg_key>')) return glmForm(has('</arg_key>\n<arg_value>') ? '\n' : '');
  if (has('<|tool_call|>')) return graniteForm;
  if (has('<tool_call>')) return hermesForm;
  if (has('[gMASK]', '<|observation|>')) return chatGlmForm(has('tool_call(') ? 'python' : 'json');
  if (has('"parameters": ', '{"name": ')) return llamaForm;
  return null;
}
