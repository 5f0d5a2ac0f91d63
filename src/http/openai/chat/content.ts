import type { DocumentPart, ImagePart, OpaquePart, TextPart, UserPart } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';

/** Content of a message as the body has it. */
type BodyContent = string | BodyPart[];

interface BodyPart {
  type: string;
  text?: string | undefined;
  [key: string]: unknown;
}

/** Content of a message that may hold text only. `firstIndex`: where the first part stands in the message. */
export function toTexts(content: BodyContent, field: string, firstIndex = 0): TextPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, index) => {
    const partField = `${field}.content.${firstIndex + index}`;
    if (part.type !== 'text') {
      const message = `"${partField}" is of type "${part.type}"; only text can stand here.`;
      throw new AppError('invalid_request', message, { field: partField, fix: 'Send parts of type "text".' });
    }
    if (part.text === undefined) {
      throw new AppError('invalid_request', `"${partField}.text" is required.`, { field: `${partField}.text` });
    }
    return { type: 'text', text: part.text };
  });
}

/**
 * Content of an assistant's message: what it said, in the words of either of OpenAI's APIs, refusals included. Parts that
 * are no text (its voice, blocks of other services) are left out, as no model could read them.
 */
export function toAssistantTexts(content: BodyContent): TextPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  return content.flatMap((part) => {
    const text = part.text ?? (part.type === 'refusal' ? textAt(part, 'refusal') : null);
    return text === null || text === undefined ? [] : [{ type: 'text', text }];
  });
}

/** Content of a user's message. Whether the model can read an image or a file is for its provider to say. */
export function toUserContent(content: BodyContent, field: string): UserPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, index) => {
    const partField = `${field}.content.${index}`;
    if (part.type === 'image_url') return toImage(part['image_url'], `${partField}.image_url`);
    if (part.type === 'file') return toDocument(part['file'], `${partField}.file`);
    if (part.type === 'input_audio') return toAudio(part, `${partField}.input_audio`);
    return toTexts([part], field, index)[0]!;
  });
}

const dataUrl = /^data:(?<type>[^;,]*)(?:;[^;,]+)*?;base64,(?<base64>[A-Za-z0-9+/=_-]*)$/;

function toImage(value: unknown, field: string): ImagePart {
  const given = typeof value === 'string' ? value : textAt(value, 'url');
  if (given === null || given === '') throw required(`${field}.url`);
  const data = dataUrl.exec(given)?.groups;
  const detail = textAt(value, 'detail');
  const extra = detail === null ? {} : { extra: { openai: { detail } } };
  if (data)
    return {
      type: 'image',
      mediaType: data['type'] || null,
      source: { type: 'bytes', base64: data['base64']! },
      ...extra,
    };
  return { type: 'image', mediaType: null, source: { type: 'url', url: given }, ...extra };
}

/** The core has no sound: whoever speaks this dialect may know what to do with it. */
function toAudio(part: BodyPart, field: string): OpaquePart {
  const sound = part['input_audio'];
  for (const name of ['data', 'format']) if (!textAt(sound, name)) throw required(`${field}.${name}`);
  return { type: 'opaque', dialect: 'openai', block: { type: 'input_audio', input_audio: sound } };
}

function toDocument(value: unknown, field: string): DocumentPart {
  const title = textAt(value, 'filename');
  const named = title === null ? {} : { title };
  const fileId = textAt(value, 'file_id');
  if (fileId !== null) return { type: 'document', mediaType: null, source: { type: 'file', fileId }, ...named };
  const data = textAt(value, 'file_data');
  if (data === null) throw required(`${field}.file_data`);
  const parts = dataUrl.exec(data)?.groups;
  const source = { type: 'bytes' as const, base64: parts?.['base64'] ?? data };
  return { type: 'document', mediaType: parts?.['type'] || null, source, ...named };
}

function textAt(value: unknown, name: string): string | null {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : null;
  return typeof found === 'string' ? found : null;
}

function required(field: string): AppError {
  return new AppError('invalid_request', `"${field}" is required.`, { field });
}
