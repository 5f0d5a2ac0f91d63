import type {
  ContentBlock,
  DocumentBlock,
  DocumentFormat,
  ImageBlock,
  ImageFormat,
  ToolResultContentBlock,
} from '@aws-sdk/client-bedrock-runtime';
import type { DocumentPart, ImagePart, ReasoningPart } from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';
import type { CapabilityRow } from './capability-table.ts';

/** Stands where nothing was said: Converse refuses text of nothing but white space. */
export const emptyText = '(empty)';

/** Whether there is anything in a text but white space. */
export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** What parts need to know of their request. */
export interface PartRules {
  row: CapabilityRow;
  /** Id of the provider: whose reasoning may go back. */
  provider: string;
  nameDocument(title: string | undefined): string;
  warn(field: string, message: string): void;
}

/** An image, which Converse takes as bytes only. Throws with the path for any other, and for a model that sees none. */
export function toImage(part: ImagePart, path: string, { row }: PartRules): ImageBlock {
  if (!row.reads.includes('image')) throw unreadable(path, 'images');
  if (part.source.type !== 'bytes') {
    throw refusedSource(path, 'An image', part.source.type);
  }
  const format = imageFormatOf(part);
  if (format === null) {
    throw new AppError('invalid_request', 'Images on Bedrock are PNG, JPEG, GIF or WebP.', {
      field: `${path}.mediaType`,
    });
  }
  return { format, source: { bytes: Buffer.from(part.source.base64, 'base64') } };
}

/** By its first bytes: Claude refuses an image that is another kind than it is said to be. */
function imageFormatOf({ mediaType, source }: ImagePart): ImageFormat | null {
  const data = source.type === 'bytes' ? source.base64 : '';
  const sniffed = Object.entries({ iVBOR: 'png', '/9j/': 'jpeg', R0lG: 'gif', UklGR: 'webp' } as const);
  const found = sniffed.find(([start]) => data.startsWith(start));
  if (found) return found[1];
  const named = /^image\/(png|jpe?g|gif|webp)$/.exec(mediaType?.toLowerCase() ?? '')?.[1];
  return named === undefined ? null : ((named === 'jpg' ? 'jpeg' : named) as ImageFormat);
}

/** A document, as bytes: those of a text are its UTF-8. Throws as `toImage`. */
export function toDocument(part: DocumentPart, path: string, rules: PartRules): DocumentBlock {
  const { row, warn } = rules;
  if (!row.reads.includes('document')) throw unreadable(path, 'documents');
  const { source } = part;
  if (source.type === 'url' || source.type === 'file') throw refusedSource(path, 'A document', source.type);
  const mediaType =
    part.mediaType?.replace(/;.*/, '').trim().toLowerCase() ?? (source.type === 'text' ? 'text/plain' : '');
  const format = documentFormats[mediaType];
  if (format === undefined) {
    throw new AppError('invalid_request', 'Documents on Bedrock are PDF, CSV, HTML, Markdown, text, Word or Excel.', {
      field: `${path}.mediaType`,
    });
  }
  if (!row.citesDocuments && part.mayBeCited) warn(`${path}.mayBeCited`, 'This model does not cite.');
  if (!row.citesDocuments && part.context !== undefined) warn(`${path}.context`, 'This model takes no context.');
  const text = source.type === 'text' ? (isBlank(source.text) ? emptyText : source.text) : null;
  return {
    format,
    name: rules.nameDocument(part.title),
    source: { bytes: source.type === 'bytes' ? Buffer.from(source.base64, 'base64') : Buffer.from(text!, 'utf8') },
    ...(row.citesDocuments && part.context !== undefined && !isBlank(part.context) && { context: part.context }),
    ...(row.citesDocuments && part.mayBeCited && { citations: { enabled: true } }),
  };
}

const documentFormats: Readonly<Record<string, DocumentFormat>> = {
  'application/pdf': 'pdf',
  'text/csv': 'csv',
  'text/html': 'html',
  'text/markdown': 'md',
  'text/plain': 'txt',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
};

/** Reasoning that may go back, or null with a warning: a foreign or missing signature is refused for ever after. */
export function toReasoning(part: ReasoningPart, path: string, rules: PartRules): ContentBlock | null {
  const { row, provider, warn } = rules;
  const isOurs = part.origin === null || part.origin.provider === provider;
  if (!row.nativeMessages || !isOurs) {
    warn(path, 'Reasoning goes back only to the Claude that made it.');
    return null;
  }
  if (part.redactedData !== null) {
    return { reasoningContent: { redactedContent: Buffer.from(part.redactedData, 'base64') } };
  }
  if (isBlank(part.signature ?? '') || isBlank(part.text)) {
    warn(path, 'Reasoning without its signature cannot go back.');
    return null;
  }
  return { reasoningContent: { reasoningText: { text: part.text, signature: part.signature! } } };
}

/** Content of a tool's result; never empty, no text of white space. */
export function toResultContent(
  content: readonly ({ type: 'text'; text: string } | ImagePart | DocumentPart)[],
  path: string,
  rules: PartRules,
): ToolResultContentBlock[] {
  const blocks = content.flatMap((part, index): ToolResultContentBlock[] => {
    const where = `${path}.content.${index}`;
    if (part.type === 'image') return [{ image: toImage(part, where, rules) }];
    if (part.type === 'document') return [{ document: toDocument(part, where, rules) }];
    return isBlank(part.text) ? [] : [{ text: part.text }];
  });
  return blocks.length === 0 ? [{ text: emptyText }] : blocks;
}

function unreadable(path: string, what: string): AppError {
  return new AppError('not_supported', `This model does not read ${what}.`, { field: path });
}

function refusedSource(path: string, what: string, source: 'url' | 'file'): AppError {
  return new AppError(
    'invalid_request',
    `${what} is sent to Bedrock as bytes, not by ${source === 'url' ? 'its address' : 'an id of a file'}.`,
    {
      field: `${path}.source`,
      fix: 'Send it as base64.',
    },
  );
}
