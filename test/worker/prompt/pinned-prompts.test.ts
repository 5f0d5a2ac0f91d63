import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../../src/core/chat.ts';
import { textOf } from '../../../src/core/content.ts';
import { countPinned } from '../../../src/worker/prompt/pinned-prompts.ts';
import { anyRequest } from '../../support/fake-worker.ts';

/** One token a character, so that lengths can be read off the text. */
const tokenize = (pieces: readonly string[]) => [...pieces.join('')].map((character) => character.codePointAt(0)!);

const system = 'You are the librarian of the house, and you answer in one short sentence. ';
const rules = `${system}Never speak of the cellar.`;

function chat(messages: ChatMessage[], promptCache: 'keep' | 'none' | 'pin' = 'keep') {
  const request = {
    ...anyRequest,
    promptCache,
    input: { type: 'chat' as const, messages, tools: [], toolChoice: { type: 'auto' as const } },
  };
  // Pieces end where a client's text was broken up.
  const pieces = ['<tools>none</tools>', ...messages.flatMap(({ role, content }) => [`<${role}>`, textOf(content)])];
  return { request, pieces, prompt: tokenize(pieces) };
}

const say = (role: 'system' | 'user', text: string): ChatMessage => ({ role, content: [{ type: 'text', text }] });
const hello = say('user', 'Hello, who are you, and where does the book about the sea stand?');
/** Where the system text begins in a rendered prompt. */
const head = '<tools>none</tools><system>'.length;

describe('what is pinned of a prompt', () => {
  it('is nothing when nobody asks for it', () => {
    expect(countPinned(chat([say('system', rules), hello]), tokenize, [])).toBe(0);
  });

  it('is all but its last token when the request says so', () => {
    const pinned = chat([say('system', rules), hello], 'pin');
    expect(countPinned(pinned, tokenize, [system])).toBe(pinned.prompt.length - 1);
  });

  it('reaches from the start of the prompt to the end of the text that is configured', () => {
    const rendered = chat([say('system', rules), hello]);
    expect(countPinned(rendered, tokenize, [system])).toBe(head + system.trim().length);
    expect(countPinned(rendered, tokenize, ['Somebody else', rules, system])).toBe(head + rules.length);
    expect(countPinned(rendered, tokenize, [`\n${rules}\n`])).toBe(head + rules.length);
  });

  it('is nothing where the text stands elsewhere than at the beginning of the first message', () => {
    const late = chat([say('system', `Well. ${rules}`), hello]);
    expect(countPinned(late, tokenize, [rules])).toBe(0);
    const quoted = chat([hello, say('user', rules)]);
    expect(countPinned(quoted, tokenize, [rules])).toBe(0);
  });

  it('is nothing where the template does not write the text as it is', () => {
    const rendered = chat([say('system', rules), hello]);
    const changed = rendered.pieces.map((piece) => piece.toUpperCase());
    expect(countPinned({ ...rendered, pieces: changed, prompt: tokenize(changed) }, tokenize, [rules])).toBe(0);
  });

  it('ends where the text and what follows become one token', () => {
    const rendered = chat([say('system', rules), hello]);
    // A vocabulary in which the full stop and the next character are one token.
    const merging = (pieces: readonly string[]) => tokenize([pieces.join('').replace('cellar.<', 'cellar\u{1F600}')]);
    expect(countPinned({ ...rendered, prompt: merging(rendered.pieces) }, merging, [rules])).toBe(
      head + rules.length - 1,
    );
  });

  it('reaches into raw text that begins with it', () => {
    const input = { type: 'text' as const, prompt: `${rules} And then?` };
    const rendered = { request: { ...anyRequest, input }, pieces: [input.prompt], prompt: tokenize([input.prompt]) };
    expect(countPinned(rendered, tokenize, [rules])).toBe(rules.length);
  });

  it('is nothing when it is too short for a file, or the request wants nothing kept', () => {
    expect(countPinned(chat([say('system', 'Be kind.'), hello]), (pieces) => tokenize(pieces).slice(0, 40), [])).toBe(
      0,
    );
    expect(countPinned(chat([say('user', 'Hi')], 'pin'), tokenize, [])).toBe(0);
    expect(countPinned(chat([say('system', rules), hello], 'none'), tokenize, [rules])).toBe(0);
  });
});
