import { describe, expect, it } from 'vitest';
import { type Block, type Inline, parseMarkdown } from '../../ui/src/text/parse-markdown.ts';

/** As short marks: what is compared is easier to read so. */
const inlines = (list: readonly Inline[]): string =>
  list
    .map((one) => {
      if (one.type === 'text') return one.text;
      if (one.type === 'break') return '<br>';
      if (one.type === 'code') return `<code ${one.text}>`;
      return `<${one.type}${one.type === 'link' ? ` ${one.address}` : ''}: ${inlines(one.text)}>`;
    })
    .join('');
const blocks = (list: readonly Block[]): unknown =>
  list.map((block) => {
    if (block.type === 'paragraph') return inlines(block.text);
    if (block.type === 'heading') return `h${block.level} ${inlines(block.text)}`;
    if (block.type === 'code') return { [block.language || 'code']: block.text };
    if (block.type === 'quote') return { quote: blocks(block.blocks) };
    if (block.type === 'list')
      return { [block.start === null ? 'list' : `from ${block.start}`]: block.items.map(blocks) };
    if (block.type === 'table') return { table: [block.head, ...block.rows].map((row) => row.map(inlines)) };
    return 'rule';
  });
const read = (text: string) => blocks(parseMarkdown(text));

describe('markdown', () => {
  it.each<[string, unknown]>([
    ['plain', ['plain']],
    ['one\ntwo\n\nthree', ['one\ntwo', 'three']],
    ['two spaces  \nbreak', ['two spaces<br>break']],
    ['# Title\ntext', ['h1 Title', 'text']],
    ['### A **bold** title ###', ['h3 A <strong: bold> title']],
    ['#no title', ['#no title']],
    ['a\n\n---\n\nb', ['a', 'rule', 'b']],
    ['- a\n- b', [{ list: [['a'], ['b']] }]],
    ['* a\n\n* b', [{ list: [['a'], ['b']] }]],
    ['1. a\n2. b', [{ 'from 1': [['a'], ['b']] }]],
    ['3) a', [{ 'from 3': [['a']] }]],
    ['- a\n  - b\n    - c\n- d', [{ list: [['a', { list: [['b', { list: [['c']] }]] }], ['d']] }]],
    ['- a\n  goes on\n\n  more', [{ list: [['a\ngoes on', 'more']] }]],
    ['1. a\n   ```js\n   x\n   ```\n2. b', [{ 'from 1': [['a', { js: 'x' }], ['b']] }]],
    ['- a\n\ntext', [{ list: [['a']] }, 'text']],
    ['> a\n> > b', [{ quote: ['a', { quote: ['b'] }] }]],
    ['```python\nprint("**no**")\n```\nafter', [{ python: 'print("**no**")' }, 'after']],
    ['~~~\n```\n~~~', [{ code: '```' }]],
    [
      '| a | b |\n|---|:-:|\n| 1 | `x|y`\\| |\n\nafter',
      [
        {
          table: [
            ['a', 'b'],
            ['1', '`x'],
          ],
        },
        'after',
      ],
    ],
    ['a | b\nno table', ['a | b\nno table']],
  ])('reads the blocks of %j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it.each([
    ['**bold** and *slanted* and _too_', '<strong: bold> and <emphasis: slanted> and <emphasis: too>'],
    ['***both***', '<strong: <emphasis: both>>'],
    ['2 * 3 * 4 and a*b', '2 * 3 * 4 and a*b'],
    ['snake_case_name', 'snake_case_name'],
    ['~~gone~~', '<struck: gone>'],
    ['`a*b*` and ``a`b``', '<code a*b*> and <code a`b>'],
    ['an open `code', 'an open `code'],
    ['\\*not\\* \\`this\\`', '*not* `this`'],
    ['[here](https://a.example/x "t")', '<link https://a.example/x: here>'],
    ['see https://a.example/x?y=1.', 'see <link https://a.example/x?y=1: https://a.example/x?y=1>.'],
    ['(https://a.example)', '(<link https://a.example: https://a.example>)'],
  ])('reads the line %j', (text, expected) => {
    expect(read(text)).toEqual([expected]);
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](data:text/html,x)',
    '[x](JaVaScRiPt:x)',
    '[x](//evil.example)',
    '[x](file:///etc)',
  ])('makes no link of %s', (text) => {
    expect(JSON.stringify(parseMarkdown(text))).not.toContain('"link"');
  });

  it('takes tags for the text that they are', () => {
    expect(read('<img src=x onerror=alert(1)> <b>x</b>')).toEqual(['<img src=x onerror=alert(1)> <b>x</b>']);
  });

  it('shows what is still being written', () => {
    expect(read('```js\nlet x')).toEqual([{ js: 'let x' }]);
    expect(read('- a\n-')).toEqual([{ list: [['a'], []] }]);
    expect(read('| a | b |\n|--')).toEqual([{ table: [['a', 'b']] }]);
  });

  it('is quick with what is made to be slow', () => {
    const beganMs = performance.now();
    const hostile = ['*', '_a', '`', '[', '> ', '- ', '**a', '|', '~~', '(http://', '[a](b'];
    for (const piece of hostile) parseMarkdown(piece.repeat(4_000));
    parseMarkdown(`${'> '.repeat(500)}x\n`.repeat(50));
    // Some of these take minutes where a pattern goes back and forth.
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });
});
