import { type CharSet, charSet } from '../gbnf/gbnf.ts';

/** Planes where characters differ from their neighbours, and rows that are all alike, of which one character tells. */
const mixed: CharSet = charSet([
  [0, 0x3ffff],
  [0xe0000, 0xe0fff],
]);
const alike: CharSet = [
  [0x40000, 0xdffff],
  [0xe1000, 0xeffff],
  [0xf0000, 0xffffd],
  [0xffffe, 0xfffff],
  [0x100000, 0x10fffd],
  [0x10fffe, 0x10ffff],
];

/** Properties that are kept read; each takes some milliseconds. */
const maxKept = 64;
const kept = new Map<string, CharSet | null>();
let characters: string[] | null = null;

/** The characters of a Unicode property as ECMA-262 names it (`L`, `Lu`, `Script=Greek`), or null for an unknown one. */
export function propertySet(name: string): CharSet | null {
  const known = kept.get(name);
  if (known !== undefined) return known;
  if (kept.size >= maxKept) kept.clear();
  const found = read(name);
  kept.set(name, found);
  return found;
}

function read(name: string): CharSet | null {
  // Nothing but a name gets into the expression, and a class in a row takes time in proportion.
  if (!/^[A-Za-z_]{1,40}(?:=[A-Za-z_]{1,40})?$/.test(name)) return null;
  let runs: RegExp;
  try {
    runs = new RegExp(`\\p{${name}}+`, 'gu');
  } catch {
    return null;
  }
  characters ??= mixed.map(([first, last]) => textOf(first, last));
  const found: (readonly [number, number])[] = [];
  for (const text of characters) {
    runs.lastIndex = 0;
    for (let run = runs.exec(text); run !== null; run = runs.exec(text)) found.push(rangeOf(run[0]));
  }
  const whole = alike.filter(([first]) => String.fromCodePoint(first).search(runs) === 0);
  return charSet([...found, ...whole]);
}

/** Through a buffer: character by character takes a second. */
function textOf(first: number, last: number): string {
  const units = new Uint16Array(2 * (last - first + 1));
  let length = 0;
  for (let code = first; code <= last; code++) {
    if (code > 0xffff) {
      units[length++] = 0xd7c0 + (code >> 10);
      units[length++] = 0xdc00 + (code & 0x3ff);
    } else units[length++] = code;
  }
  return Buffer.from(units.buffer, 0, 2 * length).toString('utf16le');
}

function rangeOf(run: string): readonly [number, number] {
  const tail = run.charCodeAt(run.length - 1);
  const last = tail >= 0xdc00 && tail <= 0xdfff ? run.codePointAt(run.length - 2)! : tail;
  return [run.codePointAt(0)!, last];
}
