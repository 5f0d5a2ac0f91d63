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
/** A number that may end here. */
const wholeNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
/** A number, or the beginning of one. */
const begunNumber = /^-?((0|[1-9]\d*)((\.\d*)?|(\.\d+)?([eE][+-]?\d*)?))?$/;
const begunEscape = /^\\(["\\/bfnrt]?|u[0-9a-fA-F]{0,4})$/;
const wholeEscape = /^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})$/;

export function createWholeObject(): WholeObject {
  const open: ('}' | ']')[] = [];
  let state: State = 'start';
  /** Seen and not handed out: a comma and a key without a value, or half an escape. */
  let held = '';
  let halfEscape = '';
  /** The number or literal that is being read. */
  let word = '';
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
    return state === 'in-number' && !wholeNumber.test(word) ? '0' : '';
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
  const beginValue = (character: string) => {
    if (character === '{' || character === '[') {
      open.push(character === '{' ? '}' : ']');
      emit(character);
      state = character === '{' ? 'first-key' : 'first-item';
    } else if (character === '"') {
      emit(character);
      state = 'in-string';
    } else if (character in literals || begunNumber.test(character)) {
      word = character;
      emit(character);
      state = character in literals ? 'in-literal' : 'in-number';
    } else fail();
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
      if (begunNumber.test(word + character)) {
        word += character;
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
