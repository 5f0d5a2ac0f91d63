import type { ComponentChildren } from 'preact';
import { Code } from '../parts/code.tsx';
import { type Block, type Inline, parseMarkdown } from './parse-markdown.ts';

/** A text of a model, as elements. */
export function Markdown({ text }: { text: string }) {
  return <div class="markdown">{parseMarkdown(text).map(toBlock)}</div>;
}

function toBlock(block: Block, key: number): ComponentChildren {
  switch (block.type) {
    case 'paragraph':
      return <p key={key}>{block.text.map(toInline)}</p>;
    case 'heading': {
      // The page has the first two levels.
      const Level = `h${Math.min(6, block.level + 2)}` as 'h3';
      return <Level key={key}>{block.text.map(toInline)}</Level>;
    }
    case 'code':
      return <Code key={key} text={block.text} label={block.language || 'code'} />;
    case 'quote':
      return <blockquote key={key}>{block.blocks.map(toBlock)}</blockquote>;
    case 'list':
      return block.start === null ? (
        <ul key={key}>{block.items.map(toItem)}</ul>
      ) : (
        <ol key={key} start={block.start}>
          {block.items.map(toItem)}
        </ol>
      );
    case 'table':
      return (
        <div key={key} class="markdown-table">
          <table class="table">
            <thead>
              <tr>
                {block.head.map((cell, index) => (
                  <th key={index}>{cell.map(toInline)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={column}>{cell.map(toInline)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case 'rule':
      return <hr key={key} />;
  }
}

function toItem(blocks: Block[], key: number): ComponentChildren {
  const [only, ...others] = blocks;
  // Most items are a line, and stand close.
  if (only?.type === 'paragraph' && others.every(({ type }) => type === 'list'))
    return (
      <li key={key}>
        {only.text.map(toInline)}
        {others.map(toBlock)}
      </li>
    );
  return <li key={key}>{blocks.map(toBlock)}</li>;
}

function toInline(inline: Inline, key: number): ComponentChildren {
  switch (inline.type) {
    case 'text':
      return inline.text;
    case 'code':
      return <code key={key}>{inline.text}</code>;
    case 'strong':
      return <strong key={key}>{inline.text.map(toInline)}</strong>;
    case 'emphasis':
      return <em key={key}>{inline.text.map(toInline)}</em>;
    case 'struck':
      return <s key={key}>{inline.text.map(toInline)}</s>;
    case 'link':
      return (
        <a key={key} href={inline.address} target="_blank" rel="noopener noreferrer nofollow">
          {inline.text.map(toInline)}
        </a>
      );
    case 'break':
      return <br key={key} />;
  }
}
