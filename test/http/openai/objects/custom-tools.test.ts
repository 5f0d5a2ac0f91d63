import { describe, expect, it } from 'vitest';
import { createCustomInputReader, customInput, customTool } from '../../../../src/http/openai/objects/custom-tools.ts';

const read = (pieces: readonly string[]) => {
  const reader = createCustomInputReader();
  return [...pieces.map((piece) => reader.push(piece)), reader.end()];
};
const call = (argumentsText: string, given = {}) => ({
  type: 'tool-call' as const,
  id: 'c',
  name: 'n',
  arguments: given,
  argumentsText,
});

describe('the text of a custom tool', () => {
  const text = 'line "one"\n\ttwo \\ three \u00e9 \u{1f600} end';
  const written = JSON.stringify({ input: text });
  const escaped = written.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

  it.each([written, escaped, ` {\n "input" : ${JSON.stringify(text)} }\n`])('is read at every cut of %j', (json) => {
    for (let cut = 0; cut <= json.length; cut++) {
      const pieces = read([json.slice(0, cut), json.slice(cut)]);
      expect(pieces.join('')).toBe(text);
      for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
    }
    expect(read([...json]).join('')).toBe(text);
  });

  it('comes while it is written', () => {
    expect(read(['{"input": "ab', 'cd\\', 'nef', '"', '}'])).toEqual(['ab', 'cd', '\nef', '', '', '']);
  });

  it('is what there is of an answer that was cut off', () => {
    expect(read(['{"input":"half of']).join('')).toBe('half of');
    expect(read(['{"inp']).join('')).toBe('{"inp');
  });

  it('stands behind other keys, or alone, where nothing bound the model', () => {
    expect(read(['{"why":"x",', '"input":"a"}']).join('')).toBe('a');
    expect(read(['just text']).join('')).toBe('just text');
    expect(customInput(call('just text'))).toBe('just text');
    expect(customInput(call('{"input":"a"}', { input: 'a' }))).toBe('a');
  });

  it('takes linear time on a megabyte of escapes in small pieces', () => {
    const reader = createCustomInputReader();
    reader.push('{"input":"');
    let length = 0;
    for (let index = 0; index < 65_536; index++) length += reader.push('\\u0041\\n\\\\').length;
    expect(length).toBe(3 * 65_536);
  });
});

describe('a custom tool in the words of the core', () => {
  it('is a function of one text, which a regular expression may bind', () => {
    expect(customTool({ name: 'a', description: 'b' }, 'f')).toMatchObject({
      name: 'a',
      description: 'b',
      parameters: { properties: { input: { type: 'string' } }, required: ['input'] },
    });
    const format = { type: 'grammar' as const, grammar: { syntax: 'regex' as const, definition: 'a|b' } };
    expect(customTool({ name: 'a', format }, 'f').parameters).toMatchObject({
      properties: { input: { pattern: '^(?:a|b)$' } },
    });
    const lark = { type: 'grammar' as const, grammar: { syntax: 'lark' as const, definition: 'start: "a" | "b"' } };
    expect(customTool({ name: 'a', format: lark }, 'f').parameters).toMatchObject({
      properties: { input: { pattern: '^(?:(?:a|b))$' } },
    });
  });

  it.each([
    [{ type: 'grammar' as const }, 'f.format.grammar'],
    [
      { type: 'grammar' as const, grammar: { syntax: 'lark' as const, definition: 'start: "(" start? ")"' } },
      'f.format.grammar.definition',
    ],
  ])('is refused with the format %j', (format, field) => {
    expect(() => customTool({ name: 'a', format }, 'f')).toThrow(expect.objectContaining({ field }));
  });
});
