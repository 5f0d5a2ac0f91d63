import type { MediaSource } from '../../../core/content.ts';
import { blocksOf, invalid, objectAt, optionalText, requiredText, unknownType } from './block-fields.ts';
import type { BodyBlock, BodyContent } from './body.ts';

interface Media {
  mediaType: string | null;
  source: MediaSource;
}

/** Where the bytes of an image or a document are. Whether the model can read them is for its provider to say. */
export function sourceOf(block: BodyBlock, field: string): Media {
  const source = objectAt(block, 'source');
  if (source === null) throw invalid(`${field}.source`, 'is required');
  const at = `${field}.source`;
  switch (source['type']) {
    case 'base64':
      return {
        mediaType: requiredText(source, 'media_type', at),
        source: { type: 'bytes', base64: requiredText(source, 'data', at) },
      };
    case 'url':
      return { mediaType: null, source: { type: 'url', url: requiredText(source, 'url', at) } };
    case 'file':
      return { mediaType: null, source: { type: 'file', fileId: requiredText(source, 'file_id', at) } };
    default:
      throw invalid(`${at}.type`, 'is unknown');
  }
}

export const pictureOf = sourceOf;

/** The text of a document that holds one, or null where it holds something else. `field` is that of its source. */
export function documentText(block: BodyBlock, field: string): string | null {
  const source = objectAt(block, 'source');
  if (source?.['type'] === 'text') return requiredText(source, 'data', field);
  if (source?.['type'] !== 'content') return null;
  const { content } = source;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalid(`${field}.content`, 'must be text, or a list of blocks');
  return textOfBlocks(content as BodyContent, `${field}.content`);
}

/** A result of a search: what it is called, where it was found, and what it says. */
export function searchResultOf(block: BodyBlock, field: string): { title: string; context: string; text: string } {
  const content = block['content'];
  if (!Array.isArray(content)) throw invalid(`${field}.content`, 'must be a list of blocks');
  return {
    title: requiredText(block, 'title', field),
    context: requiredText(block, 'source', field),
    text: textOfBlocks(content as BodyContent, `${field}.content`),
  };
}

function textOfBlocks(content: BodyContent, field: string): string {
  return blocksOf(content)
    .map((block, index) => {
      const text = optionalText(Object(block), 'text');
      if (text === null) throw unknownType(Object(block), `${field}.${index}`, 'only text can stand here');
      return text;
    })
    .join('\n');
}
