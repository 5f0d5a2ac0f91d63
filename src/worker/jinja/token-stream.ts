import { JinjaError } from './errors.ts';
import type { Token, TokenType } from './lexer.ts';

/** Expressions and blocks within each other; more only serve to overflow the stack. */
const maxDepth = 150;

/** Tokens one after the other, with a look at the next. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#position]!;
  }
  get following(): Token {
    return this.#tokens[this.#position + 1] ?? this.current;
  }
  /** The current token, and on to the next. */
  next(): Token {
    const token = this.current;
    if (token.type !== 'end') this.#position++;
    return token;
  }
  isOperator(...texts: string[]): boolean {
    return this.current.type === 'operator' && texts.includes(this.current.text);
  }
  isName(...texts: string[]): boolean {
    return this.current.type === 'name' && texts.includes(this.current.text);
  }
  skipOperator(text: string): boolean {
    const found = this.isOperator(text);
    if (found) this.next();
    return found;
  }
  skipName(text: string): boolean {
    const found = this.isName(text);
    if (found) this.next();
    return found;
  }
  expectOperator(text: string): Token {
    if (!this.isOperator(text)) throw this.unexpected(`'${text}'`);
    return this.next();
  }
  expectName(text: string): Token {
    if (!this.isName(text)) throw this.unexpected(`'${text}'`);
    return this.next();
  }
  expect(type: TokenType): Token {
    if (this.current.type !== type) throw this.unexpected(names[type] ?? type);
    return this.next();
  }

  fail(message: string, line = this.current.line): JinjaError {
    return new JinjaError('TemplateSyntaxError', `${message} (line ${line})`);
  }
  unexpected(expected: string): JinjaError {
    const { type, text } = this.current;
    if (type === 'end') return this.fail(`unexpected end of template, expected ${expected}`);
    return this.fail(`expected ${expected}, got ${type === 'name' ? `'${text}'` : (names[type] ?? `'${text}'`)}`);
  }

  /** Reads what may hold itself. */
  nested<T>(read: () => T): T {
    if (++this.#depth > maxDepth) throw this.fail('too many expressions or blocks within each other');
    const result = read();
    this.#depth--;
    return result;
  }
}

const names: Partial<Record<TokenType, string>> = {
  'end-block': "'%}'",
  'end-print': "'}}'",
  'begin-block': "'{%'",
  'begin-print': "'{{'",
  end: 'the end of the template',
  name: 'a name',
};
