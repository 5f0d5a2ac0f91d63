import { describe, expect, it } from 'vitest';
import { createEntryReader, type Entry } from '../../../src/cli/chat/entry.ts';

/** What comes of lines that are entered one after the other. */
function enter(...lines: string[]): Entry[] {
  const reader = createEntryReader();
  return lines.map((line) => reader.feed(line));
}

const more: Entry = { type: 'more' };
const message = (text: string): Entry => ({ type: 'message', text });
const command = (name: string, rest = ''): Entry => ({ type: 'command', name, rest });

describe('what a person enters', () => {
  it.each<[string, string[], Entry]>([
    ['a line', ['What is GGUF?'], message('What is GGUF?')],
    ['a pasted text', ['a\nb'], message('a\nb')],
    ['an empty line', ['  '], { type: 'nothing' }],
    ['a line that goes on', ['one \\', 'two'], message('one \ntwo')],
    ['a line that ends with two backslashes', ['C:\\\\'], message('C:\\\\')],
    ['lines in quotes', ['"""', 'one', '', 'two', '"""'], message('one\n\ntwo')],
    ['quotes on the lines of the text', ['"""one', 'two"""'], message('one\ntwo')],
    ['quotes on one line', ['"""one"""'], message('one')],
    ['a pasted text in quotes', ['"""one\ntwo"""'], message('one\ntwo')],
    ['a backslash in quotes', ['"""one \\', 'two"""'], message('one \\\ntwo')],
    ['a command in quotes, which is text', ['"""/bye"""'], command('bye')],
    ['a command', ['/help'], command('help')],
    ['a command in capitals with blanks', ['/Set  temperature 0.5 '], command('set', 'temperature 0.5')],
    [
      'a command with lines in quotes',
      ['/system """', 'Be short.', 'Be kind."""'],
      command('system', 'Be short.\nBe kind.'),
    ],
    ['a path', ['/etc/hosts has what?'], message('/etc/hosts has what?')],
    ['a question mark', ['/?'], command('?')],
  ])('%s', (_title, lines, expected) => {
    const entries = enter(...lines);
    expect(entries.at(-1)).toEqual(expected);
    expect(entries.slice(0, -1)).toEqual(lines.slice(1).map(() => more));
  });

  it('is forgotten on request', () => {
    const reader = createEntryReader();
    reader.feed('"""one');
    expect(reader.isOpen()).toBe(true);
    reader.reset();
    expect(reader.isOpen()).toBe(false);
    expect(reader.feed('two')).toEqual(message('two'));
  });
});
