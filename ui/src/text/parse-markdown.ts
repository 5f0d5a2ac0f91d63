/** Markdown as models write it, read into plain data: no HTML comes out of it, and none goes in. */

export type Block =
  | { type: 'paragraph'; text: Inline[] }
  | { type: 'heading'; level: number; text: Inline[] }
  | { type: 'code'; language: string; text: string }
  | { type: 'quote'; blocks: Block[] }
  | { type: 'list'; start: number | null; items: Block[][] }
  | { type: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { type: 'rule' };

export type Inline =
  | { type: 'text'; text: string }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'emphasis' | 'struck'; text: Inline[] }
  | { type: 'link'; address: string; text: Inline[] }
  | { type: 'break' };

/** Deeper ones are read as text: a model may write a thousand `>`. */
const mostDepth = 8;

/** Never throws; an open fence or list at the end is one that is still being written. */
export function parseMarkdown(text: string): Block[] {
  return blocksOf(text.replace(/\r\n?/g, '\n').split('\n'), 0);
}

const fence = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/;
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const quote = /^ {0,3}> ?/;
const item = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)/;
const tableRule = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function blocksOf(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === '') {
      at++;
      continue;
    }
    const [block, next] = blockAt(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

/** The block that begins in a line that is not empty, and the line behind it. */
function blockAt(lines: readonly string[], at: number, depth: number): [Block, number] {
  const line = lines[at]!;
  const opening = fence.exec(line);
  if (opening) return codeAt(lines, at, opening[1]!, opening[2]!);
  const title = heading.exec(line);
  if (title) return [{ type: 'heading', level: title[1]!.length, text: inlinesOf(title[2]!) }, at + 1];
  if (rule.test(line)) return [{ type: 'rule' }, at + 1];
  if (depth < mostDepth && quote.test(line)) return quoteAt(lines, at, depth);
  if (depth < mostDepth && item.test(line)) return listAt(lines, at, depth);
  if (line.includes('|') && tableRule.test(lines[at + 1] ?? '') && (lines[at + 1] ?? '').includes('-')) {
    return tableAt(lines, at);
  }
  return paragraphAt(lines, at, depth);
}

function codeAt(lines: readonly string[], at: number, mark: string, language: string): [Block, number] {
  const closing = new RegExp(`^ {0,3}${mark[0] === '`' ? '`' : '~'}{${mark.length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end]!)) end++;
  return [{ type: 'code', language, text: lines.slice(at + 1, end).join('\n') }, end + 1];
}

function quoteAt(lines: readonly string[], at: number, depth: number): [Block, number] {
  let end = at;
  while (end < lines.length && quote.test(lines[end]!)) end++;
  const inner = lines.slice(at, end).map((line) => line.replace(quote, ''));
  return [{ type: 'quote', blocks: blocksOf(inner, depth + 1) }, end];
}

function listAt(lines: readonly string[], at: number, depth: number): [Block, number] {
  const first = item.exec(lines[at]!)!;
  const isOrdered = /\d/.test(first[2]!);
  const items: Block[][] = [];
  let end = at;
  while (end < lines.length) {
    const found = item.exec(lines[end]!);
    if (!found || /\d/.test(found[2]!) !== isOrdered || rule.test(lines[end]!)) break;
    const indent = found[1]!.length + found[2]!.length + Math.min(found[3]!.length || 1, 4);
    const own = [lines[end]!.slice(found[0].length)];
    end++;
    while (end < lines.length) {
      const line = lines[end]!;
      const spaces = /^ */.exec(line)![0].length;
      const isEmpty = line.trim() === '';
      // What is indented belongs to it, also behind an empty line; a line right below goes on with its text.
      if (isEmpty ? !/^ {2,}\S/.test(lines[end + 1] ?? '') : spaces < 2 && startsBlock(line)) break;
      if (!isEmpty && spaces < 2 && lines[end - 1]!.trim() === '') break;
      own.push(line.slice(Math.min(spaces, indent)));
      end++;
    }
    items.push(blocksOf(own, depth + 1));
    // Items may stand apart.
    let next = end;
    while (next < lines.length && lines[next]!.trim() === '') next++;
    if (item.test(lines[next] ?? '')) end = next;
  }
  return [{ type: 'list', start: isOrdered ? Number.parseInt(first[2]!, 10) : null, items }, end];
}

function tableAt(lines: readonly string[], at: number): [Block, number] {
  const head = cellsOf(lines[at]!);
  const rows: Inline[][][] = [];
  let end = at + 2;
  for (; end < lines.length && lines[end]!.includes('|') && lines[end]!.trim() !== ''; end++) {
    const cells = cellsOf(lines[end]!);
    rows.push(head.map((_name, index) => cells[index] ?? []));
  }
  return [{ type: 'table', head, rows }, end];
}

function cellsOf(line: string): Inline[][] {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => inlinesOf(cell.trim().replaceAll('\\|', '|')));
}

function paragraphAt(lines: readonly string[], at: number, depth: number): [Block, number] {
  let end = at + 1;
  while (end < lines.length && lines[end]!.trim() !== '' && (depth >= mostDepth || !startsBlock(lines[end]!))) end++;
  const text = lines
    .slice(at, end)
    .map((line) => line.trimStart())
    .join('\n');
  return [{ type: 'paragraph', text: inlinesOf(text) }, end];
}

function startsBlock(line: string): boolean {
  return [fence, heading, rule, quote, item].some((pattern) => pattern.test(line));
}

/** What may stand in a line, the first that fits wins; `\` before a sign makes it a plain one. */
const marks =
  /\\([!-/:-@[-`{-~])|(`+)([\s\S]*?[^`])\2(?!`)|\[([^\]\n]+)\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|<?(https?:\/\/[^\s<>]*[^\s<>.,:;"')\]}])>?|(\*\*|__)(?=\S)([\s\S]*?\S)\7(?!\*)|(\*)(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)|(?<![\p{L}\p{N}])_(?=[^\s_])([\s\S]*?[^\s_])_(?![\p{L}\p{N}])|~~(?=\S)([\s\S]*?\S)~~|( {2,}|\\)?\n/u;

function inlinesOf(text: string, depth = 0): Inline[] {
  const found: Inline[] = [];
  const say = (words: string) => {
    const last = found.at(-1);
    if (words === '') return;
    if (last?.type === 'text') last.text += words;
    else found.push({ type: 'text', text: words });
  };
  let rest = text;
  for (;;) {
    const match = depth < mostDepth ? marks.exec(rest) : null;
    if (match === null) {
      say(rest);
      return found;
    }
    say(rest.slice(0, match.index));
    rest = rest.slice(match.index + match[0].length);
    const inline = inlineOf(match, depth + 1);
    if (typeof inline === 'string') say(inline);
    else found.push(inline);
  }
}

function inlineOf(match: RegExpExecArray, depth: number): Inline | string {
  const [whole, escaped, , code, words, address, bare, , strong, , emphasis, underlined, struck, hardBreak] = match;
  if (escaped !== undefined) return escaped;
  if (code !== undefined) return { type: 'code', text: /^ .*\S.* $/s.test(code) ? code.slice(1, -1) : code };
  if (words !== undefined && address !== undefined) {
    return isSafe(address) ? { type: 'link', address, text: inlinesOf(words, depth) } : whole;
  }
  if (bare !== undefined) return { type: 'link', address: bare, text: [{ type: 'text', text: bare }] };
  if (strong !== undefined) return { type: 'strong', text: inlinesOf(strong, depth) };
  if (emphasis !== undefined) return { type: 'emphasis', text: inlinesOf(emphasis, depth) };
  if (underlined !== undefined) return { type: 'emphasis', text: inlinesOf(underlined, depth) };
  if (struck !== undefined) return { type: 'struck', text: inlinesOf(struck, depth) };
  return hardBreak === undefined ? '\n' : { type: 'break' };
}

/** Where a press may lead: nowhere that runs something, and to no file. */
function isSafe(address: string): boolean {
  return /^(?:https?:\/\/|mailto:)/i.test(address);
}
