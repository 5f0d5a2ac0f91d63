/** What is known of a file without a template. */
interface TemplateLess {
  /** As GGUF's `general.architecture` calls it. */
  architecture: string;
  /** As GGUF's `tokenizer.ggml.model` calls it. */
  tokenizerModel: string;
  /** Texts of control and added tokens. */
  specialTexts: readonly string[];
}

/** Turns as `before role after content end`, and the opening of the answer. */
function turns(parts: { before: string; after: string; end: string; assistant?: string; start?: string }): string {
  const assistant = parts.assistant ?? 'assistant';
  const role =
    assistant === 'assistant' ? 'message.role' : `('${assistant}' if message.role == 'assistant' else message.role)`;
  return (
    `{{- ${parts.start ?? "''"} -}}` +
    `{%- for message in messages -%}{{- '${parts.before}' + ${role} + '${parts.after}' + message.content + '${parts.end}' -}}{%- endfor -%}` +
    `{%- if add_generation_prompt -%}{{- '${parts.before}${assistant}${parts.after}' -}}{%- endif -%}`
  );
}

const chatMl = turns({ before: '<|im_start|>', after: '\\n', end: '<|im_end|>\\n' });
const llama3 = turns({
  before: '<|start_header_id|>',
  after: '<|end_header_id|>\\n\\n',
  end: '<|eot_id|>',
  start: 'bos_token',
});
const phi = turns({ before: '<|', after: '|>\\n', end: '<|end|>\\n' });

/** Gemma knows no system role and calls the assistant `model`. */
const gemma =
  "{%- if messages[0].role == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}" +
  turns({ before: '<start_of_turn>', after: '\\n', end: '<end_of_turn>\\n', assistant: 'model', start: 'bos_token' });

/** `[INST]` around the user's text; the system text stands within the first one, between `<<SYS>>` marks (Llama 2). */
const llama2 =
  "{%- set ns = namespace(system='') -%}" +
  '{%- for message in messages -%}' +
  "{%- if message.role == 'system' and loop.first -%}{%- set ns.system = '<<SYS>>\\n' + message.content + '\\n<</SYS>>\\n\\n' -%}" +
  "{%- elif message.role == 'user' -%}{{- bos_token + '[INST] ' + ns.system + message.content + ' [/INST]' -}}{%- set ns.system = '' -%}" +
  "{%- elif message.role == 'assistant' -%}{{- ' ' + message.content + ' ' + eos_token -}}" +
  "{%- else -%}{{- raise_exception('Only user and assistant turns are known, after one system message') -}}{%- endif -%}" +
  '{%- endfor -%}';

/**
 * ChatGLM3 and GLM-4. Roles are control tokens; the line behind the assistant's names the tool that it calls. ChatGLM3
 * writes a call's arguments as Python, `tool_call(city='Oslo')`, GLM-4 as JSON.
 */
function chatGlm(start: string, arguments_: string): string {
  return (
    `{{- '${start}' -}}` +
    "{%- if tools -%}{{- '<|system|>\\n Answer the following questions as best as you can. You have access to the following tools:\\n' + (tools | map(attribute='function') | list | tojson) -}}{%- endif -%}" +
    '{%- for message in messages -%}' +
    "{%- if message.role == 'tool' -%}{{- '<|observation|>\\n' + message.content -}}" +
    "{%- elif message.role == 'assistant' and message.tool_calls -%}" +
    '{%- for call in message.tool_calls -%}' +
    `{{- '<|assistant|>' + call.function.name + '\\n' -}}${arguments_}` +
    '{%- endfor -%}' +
    "{%- else -%}{{- '<|' + message.role + '|>\\n' + message.content -}}{%- endif -%}" +
    '{%- endfor -%}' +
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
  );
}

const pythonArguments =
  "{{- '```python\\ntool_call(' -}}" +
  '{%- for key, value in call.function.arguments | items -%}' +
  "{{- key + '=' + (value | tojson) + ('' if loop.last else ', ') -}}" +
  "{%- endfor -%}{{- ')\\n```' -}}";

/**
 * The template for a file without one, by the turn marks of its vocabulary. `isGuess`: none of them is there, and ChatML
 * stands in, which is the most common form and harmless where it does not fit.
 */
export function fallbackTemplate(file: TemplateLess): { source: string; name: string; isGuess: boolean } {
  const has = (...texts: string[]) => texts.every((text) => file.specialTexts.includes(text));
  const known = (name: string, source: string) => ({ source, name, isGuess: false });
  if (has('<|im_start|>', '<|im_end|>')) return known('ChatML', chatMl);
  if (has('<|start_header_id|>', '<|eot_id|>')) return known('Llama 3', llama3);
  if (has('<start_of_turn>', '<end_of_turn>')) return known('Gemma', gemma);
  if (has('[gMASK]', '<|observation|>')) {
    return has('<sop>')
      ? known('GLM-4', chatGlm('[gMASK]<sop>', '{{- call.function.arguments | tojson -}}'))
      : known('ChatGLM3', chatGlm('[gMASK]sop', pythonArguments));
  }
  // ChatGLM3's marks may be missing from the token list of an older conversion.
  if (file.architecture === 'chatglm') return known('ChatGLM3', chatGlm('[gMASK]sop', pythonArguments));
  if (has('<|user|>', '<|end|>')) return known('Phi-3', phi);
  if (has('[INST]') || (file.architecture === 'llama' && file.tokenizerModel === 'llama'))
    return known('Llama 2', llama2);
  return { source: chatMl, name: 'ChatML', isGuess: true };
}
