import type { DocumentPart, ImagePart, TextPart } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';

/** Content as a body has it. */
export type BodyContent = string | readonly { type: string; text?: string | undefined; [key: string]: unknown }[];

const textTypes = ['input_text', 'output_text', 'text', 'summary_text', 'reasoning_text'];

/** Content of the user or of a tool. Whether the model can read an image or a file is for its provider to say. */
export function toParts(content: BodyContent, field: string): (TextPart | ImagePart | DocumentPart)[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, index) => {
    const partField = `${field}.${index}`;
    if (part.type === 'input_image') return toImage(part, partField);
    if (part.type === 'input_file') return toFile(part, partField);
    return toText(part, partField);
  });
}

/** Content that may hold text only. */
export function toTexts(content: BodyContent, field: string): TextPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, index) => toText(part, `${field}.${index}`));
}

/** What the model said, refusals included; empty texts are left out. */
export function toSaid(content: BodyContent, field: string): TextPart[] {
  const texts =
    typeof content === 'string'
      ? [content]
      : content.map((part, index) =>
          part.type === 'refusal' ? (textAt(part, 'refusal') ?? '') : toText(part, `${field}.${index}`).text,
        );
  return texts.filter((text) => text !== '').map((text) => ({ type: 'text', text }));
}

function toText(part: Exclude<BodyContent, string>[number], field: string): TextPart {
  if (!textTypes.includes(part.type)) {
    throw new AppError('invalid_request', `"${field}" is of type "${part.type}", which cannot stand here.`, {
      field: `${field}.type`,
    });
  }
  if (part.text === undefined) throw required(`${field}.text`);
  return { type: 'text', text: part.text };
}

const dataUrl = /^data:(?<type>[^;,]*)(?:;[^;,]+)*?;base64,(?<base64>[A-Za-z0-9+/=_-]*)$/;

function toImage(part: Readonly<Record<string, unknown>>, field: string): ImagePart {
  const fileId = textAt(part, 'file_id');
  const extra = detailOf(part);
  if (fileId !== null) return { type: 'image', mediaType: null, source: { type: 'file', fileId }, ...extra };
  const url = textAt(part, 'image_url');
  if (url === null) throw required(`${field}.image_url`);
  const data = dataUrl.exec(url)?.groups;
  return data
    ? { type: 'image', mediaType: data['type'] || null, source: { type: 'bytes', base64: data['base64']! }, ...extra }
    : { type: 'image', mediaType: null, source: { type: 'url', url }, ...extra };
}

/** How closely it is to be looked at, for whoever speaks this dialect. */
function detailOf(part: Readonly<Record<string, unknown>>): { extra?: { openai: { detail: string } } } {
  const detail = textAt(part, 'detail');
  return detail === null ? {} : { extra: { openai: { detail } } };
}

function toFile(part: Readonly<Record<string, unknown>>, field: string): DocumentPart {
  const title = textAt(part, 'filename');
  const named = { ...(title !== null && { title }), ...detailOf(part) };
  const fileId = textAt(part, 'file_id');
  if (fileId !== null) return { type: 'document', mediaType: null, source: { type: 'file', fileId }, ...named };
  const url = textAt(part, 'file_url');
  if (url !== null) return { type: 'document', mediaType: null, source: { type: 'url', url }, ...named };
  const given = textAt(part, 'file_data');
  if (given === null) throw required(`${field}.file_data`);
  const data = dataUrl.exec(given)?.groups;
  const source = { type: 'bytes' as const, base64: data?.['base64'] ?? given };
  return { type: 'document', mediaType: data?.['type'] || null, source, ...named };
}

/** A text in a loose object; null: there is none, or an empty one. */
export function textAt(value: Readonly<Record<string, unknown>>, name: string): string | null {
  const found = value[name];
  return typeof found === 'string' && found !== '' ? found : null;
}

function required(field: string): AppError {
  return new AppError('invalid_request', `"${field}" is required.`, { field });
}
