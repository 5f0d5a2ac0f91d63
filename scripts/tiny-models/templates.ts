/** ChatML with tools in the `<tool_call>` form. */
export const chatWithTools = `{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n' }}{%- endif %}
{{- '# Tools\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
{{- '\\n</tools>\\nCall one like this: <tool_call>\\n{"name": "...", "arguments": {}}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- elif message.role != 'system' or not tools %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

/** Turns in a pair of control tokens, without a system role: the families that have none refuse it, as here. */
export function turnsWithoutSystem([open, close]: readonly [string, string]): string {
  return (
    '{{ bos_token }}{% for message in messages %}' +
    "{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" +
    `{{ '${open}' + ('model' if message.role == 'assistant' else message.role) + '\\n' + message.content + '${close}\\n' }}` +
    `{% endfor %}{% if add_generation_prompt %}{{ '${open}model\\n' }}{% endif %}`
  );
}

/** Turns in a pair of control tokens, any role. */
export function plainTurns([open, close]: readonly [string, string]): string {
  return (
    `{{ bos_token }}{% for message in messages %}{{ '${open}' + message.role + '\\n' + message.content + '${close}\\n' }}` +
    `{% endfor %}{% if add_generation_prompt %}{{ '${open}assistant\\n' }}{% endif %}`
  );
}
