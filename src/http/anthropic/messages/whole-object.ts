/**
 * Keeps the text of a JSON object whole although it may be cut off anywhere: what is handed out so far can be closed at
 * any time, and ends up as an object without what was begun and not finished.
 */
export interface WholeObject {
  /** What of the text so far may be sent; a key waits for its value, half an escape for its other half. */
  push(text: string): string;
  /** What closes the object; empty where it is closed, and where nothing of it was handed out. */
  end(): string;
}

type State =
  | 'start'
  | 'first-key'
  | 'key'
  | 'in-key'
  | 'colon'
  | 'value'
  | 'first-item'
  | 'in-string'
  | 'in-number'
  | 'in-literal'
  | 'after'
  | 'done'
  /** Something that is no JSON came; nothing behind it is handed out. */
  | 'broken';

const space = /^[ \t\n\r]$/;
const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
/** What of a number was read last. Its digits are not kept: a model may write any number of them. */
type NumberPart = 'begin' | 'minus' | 'zero' | 'integer' | 'point' | 'fraction' | 'e' | 'sign' | 'exponent';

/** What may follow each part, the digits 1 to 9 and 0 apart; a part with `ends` may be the last one. */
const numberParts: Readonly<
  Record<NumberPart, { ends?: true } & Partial<Record<'digit' | '0' | '.' | 'e' | '+' | '-', NumberPart>>>
> = {
  begin: { digit: 'integer', '0': 'zero', '-': 'minus' },
  minus: { digit: 'integer', '0': 'zero' },
  zero: { ends: true, '.': 'point', e: 'e' },
  integer: { ends: true, digit: 'integer', '0': 'integer', '.': 'point', e: 'e' },
  point: { digit: 'fraction', '0': 'fraction' },
  fraction: { ends: true, digit: 'fraction', '0': 'fraction', e: 'e' },
  e: { digit: 'exponent', '0': 'exponent', '+': 'sign', '-': 'sign' },
  sign: { digit: 'exponent', '0': 'exponent' },
  exponent: { ends: true, digit: 'exponent', '0': 'exponent' },
};

/** The part that a character is of a number read so far, or null. */
function partOfNumber(before: NumberPart, character: string): NumberPart | null {
  const kind = character >= '1' && character <= '9' ? 'digit' : character === 'E' ? 'e' : character;
  return kind === 'digit' || kind === '0' || kind === '.' || kind === 'e' || kind === '+' || kind === '-'
    ? (numberParts[before][kind] ?? null)
    : null;
}
const begunEscape = /^\\(["\\/bfnrt]?|u[0-9a-fA-F]{0,4})$/;
const wholeEscape = /^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})$/;

export function createWholeObject(): WholeObject {
  const open: ('}' | ']')[] = [];
  let state: State = 'start';
  /** Seen and not handed out: a comma and a key without a value, or half an escape. */
  let held = '';
  let halfEscape = '';
  /** The literal that is being read. */
  let word = '';
  let part: NumberPart = 'begin';
  let out = '';
  /** What closed the value in which something came that is no JSON. */
  let tail = '';

  const emit = (text: string) => {
    out += held + text;
    held = '';
  };
  /** What makes a whole value of the one that is handed out half. */
  const endOfValue = () => {
    if (state === 'in-string') return '"';
    if (state === 'in-literal') return literals[word[0]!]!.slice(word.length);
    // A number that was cut is not the number that was meant, but it is one.
    return state === 'in-number' && !numberParts[part].ends ? '0' : '';
  };
  const fail = () => {
    tail = endOfValue();
    state = 'broken';
    held = '';
  };
  const endWord = () => {
    if (endOfValue() === '') state = 'after';
    else fail();
  };
  const close = (character: string) => {
    if (open.at(-1) !== character) return fail();
    open.pop();
    emit(character);
    state = open.length === 0 ? 'done' : 'after';
  };
  const beginNumber = (character: string) => {
    const first = partOfNumber('begin', character);
    if (first === null) return fail();
    part = first;
    emit(character);
    state = 'in-number';
  };
  const beginValue = (character: string) => {
    if (character === '{' || character === '[') {
      open.push(character === '{' ? '}' : ']');
      emit(character);
      state = character === '{' ? 'first-key' : 'first-item';
    } else if (character === '"') {
      emit(character);
      state = 'in-string';
    } else if (character in literals) {
      word = character;
      emit(character);
      state = 'in-literal';
    } else beginNumber(character);
  };
  /** Within a string; `show` takes what is whole of it. */
  const inString = (character: string, show: (text: string) => void, end: () => void) => {
    if (halfEscape !== '') {
      halfEscape += character;
      if (!begunEscape.test(halfEscape)) return fail();
      if (wholeEscape.test(halfEscape)) {
        show(halfEscape);
        halfEscape = '';
      }
    } else if (character === '\\') halfEscape = character;
    else if (character === '"') end();
    else if (character < ' ') fail();
    else show(character);
  };
  const hold = (text: string) => {
    held += text;
  };

  const steps: Readonly<Record<State, (character: string) => void>> = {
    start: (character) => (character === '{' ? beginValue(character) : fail()),
    'first-key': (character) => (character === '}' ? close(character) : steps.key(character)),
    key(character) {
      if (character !== '"') return fail();
      hold(character);
      state = 'in-key';
    },
    'in-key': (character) =>
      inString(character, hold, () => {
        hold('"');
        state = 'colon';
      }),
    colon(character) {
      if (character !== ':') return fail();
      hold(character);
      state = 'value';
    },
    value: beginValue,
    'first-item': (character) => (character === ']' ? close(character) : beginValue(character)),
    'in-string': (character) =>
      inString(character, emit, () => {
        emit('"');
        state = 'after';
      }),
    'in-number'(character) {
      const next = partOfNumber(part, character);
      if (next !== null) {
        part = next;
        emit(character);
      } else {
        endWord();
        step(character);
      }
    },
    'in-literal'(character) {
      if (literals[word[0]!]!.startsWith(word + character)) {
        word += character;
        emit(character);
      } else {
        endWord();
        step(character);
      }
    },
    after(character) {
      if (character !== ',') return close(character);
      hold(character);
      state = open.at(-1) === '}' ? 'key' : 'value';
    },
    done: fail,
    broken: () => {},
  };
  const step = (character: string) => {
    // White space between values says nothing, and ends a number.
    if (!space.test(character) || state === 'in-key' || state === 'in-string') steps[state](character);
    else if (state === 'in-number' || state === 'in-literal') endWord();
  };

  return {
    push(text) {
      out = '';
      for (const character of text) step(character);
      return out;
    },
    end() {
      return (state === 'broken' ? tail : endOfValue()) + open.toReversed().join('');
    },
  };
}

/** The object that a text begins with, closed where it was cut off; empty where the text is none. */
export function wholeObject(text: string): Record<string, unknown> {
  const whole = createWholeObject();
  const begun = whole.push(text);
  const parsed: unknown = JSON.parse(begun + whole.end() || '{}');
  return parsed as Record<string, unknown>;
}
