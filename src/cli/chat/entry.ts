/** What a person has entered. */
export type Entry =
  /** More lines belong to it. */
  | { type: 'more' }
  | { type: 'message'; text: string }
  /** `/name rest`. */
  | { type: 'command'; name: string; rest: string }
  | { type: 'nothing' };

/** Puts together what people enter over several lines. */
export interface EntryReader {
  /** The next line; a pasted one may hold line breaks. */
  feed(line: string): Entry;
  /** Whether it is in the middle of something. */
  isOpen(): boolean;
  /** Forgets what was begun. */
  reset(): void;
}

const quotes = '"""';

/** A command's name has letters only: `/etc/hosts` and the like are text. */
const command = /^\/(?<name>[a-z?]*)(?:\s+(?<rest>[\s\S]*))?$/i;

/**
 * A line that ends with a backslash goes on with the next one, and what begins with three quotes goes on until three quotes
 * end a line. A command may take such a text too: `/system """…"""`.
 */
export function createEntryReader(): EntryReader {
  let lines: string[] = [];
  let isQuoted = false;
  /** What stood before the quotes. */
  let head = '';

  const reset = () => {
    lines = [];
    isQuoted = false;
    head = '';
  };
  const finish = (text: string): Entry => {
    const whole = head + text;
    reset();
    return toEntry(whole);
  };

  function feedQuoted(line: string): Entry {
    const end = line.trimEnd();
    if (!end.endsWith(quotes)) {
      lines.push(line);
      return { type: 'more' };
    }
    const last = end.slice(0, -quotes.length);
    return finish([...lines, ...(last === '' ? [] : [last])].join('\n'));
  }

  return {
    isOpen: () => isQuoted || lines.length > 0,
    reset,
    feed(line) {
      if (isQuoted) return feedQuoted(line);
      const opened = lines.length > 0 ? null : /^(\s*(?:\/[a-z]+\s+)?)"""([\s\S]*)$/i.exec(line);
      if (opened) {
        isQuoted = true;
        head = opened[1]!.trimStart();
        return opened[2] === '' ? { type: 'more' } : feedQuoted(opened[2]!);
      }
      // An even number of them is text.
      if (/(?<!\\)(?:\\\\)*\\$/.test(line)) {
        lines.push(line.slice(0, -1));
        return { type: 'more' };
      }
      return finish([...lines, line].join('\n'));
    },
  };
}

function toEntry(text: string): Entry {
  const { name, rest = '' } = command.exec(text.trimEnd())?.groups ?? {};
  if (name !== undefined) return { type: 'command', name: name.toLowerCase(), rest: rest.trim() };
  return text.trim() === '' ? { type: 'nothing' } : { type: 'message', text };
}
