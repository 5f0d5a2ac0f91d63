/**
 * A text that begins a JSON value, cut behind the last comma or bracket and closed there: all that is whole of it. Null
 * when nothing is.
 */
export function closedJson(text: string): string | null {
  const open: string[] = [];
  let inString = false;
  let best: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
      continue;
    }
    if (character === '"') inString = true;
    else if (character === '{' || character === '[') open.push(character === '{' ? '}' : ']');
    else if (character === '}' || character === ']') open.pop();
    else if (character !== ',') continue;
    if (character === ',') best = text.slice(0, at) + open.toReversed().join('');
    else if (character === '}' || character === ']') best = text.slice(0, at + 1) + open.toReversed().join('');
  }
  return best;
}
