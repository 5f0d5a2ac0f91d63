import { describe, expect, it } from 'vitest';
import { textOf } from '../../../src/core/content.ts';
import { toTemplateMessages } from '../../../src/worker/conversation/conversation.ts';
import { createChatTemplate } from '../../../src/worker/prompt/template.ts';

const templateOf = (source: string | null) =>
  createChatTemplate({
    source,
    architecture: 'any',
    tokenizerModel: 'gpt2',
    controlTexts: [],
    userDefinedTexts: [],
    bosText: '',
    eosText: '',
  });
const render = (source: string, messages: Parameters<typeof toTemplateMessages>[0]) =>
  templateOf(source)
    .render({ messages: toTemplateMessages(messages), tools: [] })
    .pieces.join('');

const cut = {
  type: 'tool-call' as const,
  id: 'c',
  name: 'get_weather',
  arguments: {},
  argumentsText: '{"city": "Par',
};
const history = [
  { role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi' }] },
  { role: 'assistant' as const, content: [cut] },
];
const each = (call: string) =>
  `{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}[${call}]{% endfor %};{% endfor %}{% if tools %}<tool_call>{% endif %}`;

describe('a call that was cut off', () => {
  it('is shown to the model as it was written', () => {
    expect(render(each('{{ c.function.arguments }}'), history)).toBe('user:Hi;assistant:[{"city": "Par];');
    expect(render(each('{{ c.function.arguments | tojson }}'), history)).toContain('Par');
  });

  it('does not break a template that walks through arguments', () => {
    const walk = each('{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}');
    expect(render(walk, history)).toBe('user:Hi;assistant:[arguments={"city": "Par];');
  });

  it('stands in the text of a template that knows no calls', () => {
    const plain = '{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}';
    expect(render(plain, history)).toContain('{"name":"get_weather","arguments":{"city": "Par}');
  });

  it('is no object with arguments that are empty, as a call without arguments is', () => {
    const bare = { ...cut, argumentsText: ' ' };
    const source = each('{{ c.function.arguments | tojson }}');
    expect(render(source, [history[0]!, { role: 'assistant', content: [bare] }])).toBe('user:Hi;assistant:[{}];');
  });
});

describe('a template that insists on turns', () => {
  const strict =
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}" +
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.role }}:{{ m.content }};{% endfor %}";

  it('takes a conversation that the assistant begins', () => {
    const [hi] = history;
    const hello = { role: 'assistant' as const, content: [{ type: 'text' as const, text: 'Hello' }] };
    expect(render(strict, [hello, hi!])).toBe('user:[...];assistant:Hello;user:Hi;');
  });

  it('takes instructions alone as what the user says', () => {
    expect(render(strict, [{ role: 'system', content: [{ type: 'text', text: 'Translate' }] }])).toBe(
      'user:Translate;',
    );
  });
});

describe('the result of a tool', () => {
  it.each([
    [true, 'Error: no such file'],
    [false, 'no such file'],
  ])('is told as failed where it failed: %s', (isError, told) => {
    const content = [{ type: 'text' as const, text: 'no such file' }];
    const [message] = toTemplateMessages([
      { role: 'user', content: [{ type: 'tool-result', callId: 'c', isError, content }] },
    ]);
    expect(textOf(message!.content)).toBe(told);
  });
});
