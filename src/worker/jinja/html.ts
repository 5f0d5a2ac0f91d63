const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** A text as HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>'"]/gu, (character) => entities[character]!);

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\xa0' };

/** The text of HTML without its tags, white space in one. */
export function stripTags(html: string): string {
  let text = '';
  let at = 0;
  // By hand: a pattern would be slow on many openings without an end.
  for (let open = html.indexOf('<!--'); open >= 0; open = html.indexOf('<!--', at)) {
    const close = html.indexOf('-->', open);
    if (close < 0) break;
    text += html.slice(at, open);
    at = close + 3;
  }
  const commentless = text + html.slice(at);
  text = '';
  at = 0;
  for (let open = commentless.indexOf('<'); open >= 0; open = commentless.indexOf('<', at)) {
    const close = commentless.indexOf('>', open);
    if (close < 0) break;
    text += commentless.slice(at, open);
    at = close + 1;
  }
  text += commentless.slice(at);
  return text
    .split(/\s+/u)
    .filter((part) => part !== '')
    .join(' ')
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/giu, (whole, decimal, hex, name) => {
      if (name !== undefined) return named[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    });
}
