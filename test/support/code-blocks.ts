/** A fenced block of a document in Markdown. */
export interface CodeBlock {
  /** Of its fence: `js`, `yaml`. */
  language: string;
  /** The nearest heading above it. */
  heading: string;
  code: string;
}

/** All fenced blocks of a text, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  let heading = '';
  return [...markdown.matchAll(/^#{1,6} (.+)$|^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap((match) => {
    const [, title, language, code] = match;
    if (title !== undefined) heading = title;
    return language === undefined || code === undefined ? [] : [{ language, heading, code }];
  });
}
