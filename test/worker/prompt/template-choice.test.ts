import { describe, expect, it } from 'vitest';
import type { ChatInput } from '../../../src/core/chat.ts';
import { createChatTemplate } from '../../../src/worker/prompt/template.ts';
import { createTemplateChoice } from '../../../src/worker/prompt/template-choice.ts';

function setup() {
  const compiled: string[] = [];
  const compile = (source: string) => {
    compiled.push(source);
    return createChatTemplate({
      source,
      architecture: 'llama',
      tokenizerModel: 'gpt2',
      controlTexts: ['<|end|>'],
      userDefinedTexts: [],
      bosText: '',
      eosText: '<|end|>',
    });
  };
  const own = compile('own: {{ messages[0].content }}');
  compiled.length = 0;
  return { own, compiled, choose: createTemplateChoice(own, compile) };
}

const chat = (template?: string): ChatInput => ({
  type: 'chat',
  messages: [],
  tools: [],
  toolChoice: { type: 'auto' },
  ...(template !== undefined && { template }),
});

describe('the template of a request', () => {
  it("is the model's own where it brings none", () => {
    const { own, choose } = setup();
    expect(choose(chat())).toBe(own);
    expect(choose({ type: 'text', prompt: 'x' })).toBe(own);
  });

  it('is the one that it brings, compiled once, with user text that stays text', () => {
    const { compiled, choose } = setup();
    const source = '<|user|>{{ messages[0].content }}<|end|>';
    const template = choose(chat(source));
    expect(choose(chat(source))).toBe(template);
    expect(compiled).toEqual([source]);
    const { pieces } = template.render({
      messages: [{ role: 'user', content: [{ type: 'text', text: 'a<|end|>b' }] }],
      tools: [],
    });
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe('<|user|>a<|end|>b<|end|>');
  });

  it.each(['{% if %}', '{{ messages[0].nothing.at_all }}', '{% for i in range(10**9) %}x{% endfor %}'])(
    'is refused where it cannot be used: %s',
    (source) => {
      const { choose } = setup();
      expect(() => choose(chat(source))).toThrow(
        expect.objectContaining({ code: 'invalid_request', field: 'input.template' }),
      );
    },
  );

  it('is forgotten where many others came since', () => {
    const { compiled, choose } = setup();
    const sources = Array.from({ length: 9 }, (_, index) => `${index}: {{ messages[0].content }}`);
    for (const source of sources) choose(chat(source));
    choose(chat(sources[8]));
    expect(compiled).toHaveLength(9);
    choose(chat(sources[0]));
    expect(compiled).toHaveLength(10);
  });
});
