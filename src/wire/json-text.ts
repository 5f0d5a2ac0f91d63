/**
 * The text of a JSON object with some of its own values replaced, everything else as it was: the order of keys, numbers that
 * are too long for us, blanks. A key that is not there is added at the end; of one that is there twice both are replaced.
 * `text` must be valid JSON of an object.
 */
export function replaceValues(text: string, values: Readonly<Record<string, unknown>>): string {
  const missing = new Map(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
  const wanted = new Map(missing);
  let out = '';
  let copied = 0;
  let isEmpty = true;
  let at = skipBlanks(text, text.indexOf('{') + 1);
  while (text[at] === '"') {
    isEmpty = false;
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const from = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const to = endOfValue(text, from);
    const value = wanted.get(key);
    if (value !== undefined) {
      out += text.slice(copied, from) + value;
      copied = to;
      missing.delete(key);
    }
    at = skipBlanks(text, to);
    if (text[at] === ',') at = skipBlanks(text, at + 1);
  }
  const added = [...missing].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',');
  return out + text.slice(copied, at) + (isEmpty || added === '' ? added : `,${added}`) + text.slice(at);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
  return at;
}

/** Behind the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"' || at >= text.length) return at + 1;
  }
}

/** Behind the value that begins at `from`. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      if (depth === 0) return at;
      depth--;
    } else if (depth === 0 && character === ',') return at;
    else if (depth === 0 && ' \t\n\r'.includes(character)) return at;
  }
  return text.length;
}

/** The text of a JSON object without some of its own keys, everything else as it was. `text` must be valid JSON of an object. */
export function removeKeys(text: string, keys: readonly string[]): string {
  const members: { key: string; from: number; to: number }[] = [];
  let at = skipBlanks(text, text.indexOf('{') + 1);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at);
    const to = endOfValue(text, skipBlanks(text, skipBlanks(text, keyEnd) + 1));
    members.push({ key: JSON.parse(text.slice(at, keyEnd)) as string, from: at, to });
    at = skipBlanks(text, to);
    if (text[at] === ',') at = skipBlanks(text, at + 1);
  }
  const [first] = members;
  if (first === undefined) return text;
  let out = text.slice(0, first.from);
  let isFirst = true;
  for (const [index, { key, from, to }] of members.entries()) {
    if (keys.includes(key)) continue;
    out += (isFirst ? '' : text.slice(members[index - 1]!.to, from)) + text.slice(from, to);
    isFirst = false;
  }
  return out + text.slice(members.at(-1)!.to);
}
