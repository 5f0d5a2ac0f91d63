import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { asText, readItem, wrong } from '../../fields/list-items.ts';

/** Parts and items of an input, together. */
const most = 4_096;

const textPart = z.object({ type: z.enum(['input_text', 'output_text']), text: z.string() });
const jsonPart = z.object({
  type: z.literal('input_json'),
  data: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]),
});
const refusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() });
const imagePart = z.object({ type: z.literal('input_image') });
const part = z.discriminatedUnion('type', [textPart, jsonPart, refusalPart, imagePart]);

const content = z.union([z.string(), z.array(z.unknown())]);
const message = z.object({
  type: z.literal('message').nullish(),
  role: z.enum(['user', 'developer', 'system', 'assistant']),
  content,
});
const call = z.object({
  type: z.literal('function_call'),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
});
const customCall = z.object({
  type: z.literal('custom_tool_call'),
  call_id: z.string(),
  name: z.string(),
  input: z.string(),
});
const output = z.object({
  type: z.enum(['function_call_output', 'custom_tool_call_output']),
  call_id: z.string(),
  output: content,
});
const item = z.union([message, call, customCall, output]);

/** Whom an input is read for, and the fields in it that change nothing, noted as they are met. */
export interface Reading {
  model: string;
  ignored: string[];
}

/**
 * An input as one text: a single user message as it stands, a conversation with who says what in front of each turn. Throws
 * `invalid_request` that names the item at fault; the model is named where it cannot read one.
 */
export function inputText(input: string | readonly unknown[], reading: Reading): string {
  if (typeof input === 'string') return input;
  if (input.length === 0) throw wrong('input', 'is empty');
  if (input.length > most) throw wrong('input', `has ${input.length} items; at most ${most} are taken`);
  const calls = new Map<string, string>();
  const turns = input.map((value, index) => toTurn(value, `input.${index}`, reading, calls));
  const [only] = turns;
  if (turns.length === 1 && only?.who === 'user') return only.text;
  return turns.map(({ who, text }) => `${who}: ${text}`).join('\n\n');
}

/** A text in parts. */
export function contentText(parts: string | readonly unknown[], field: string, reading: Reading): string {
  if (typeof parts === 'string') return parts;
  if (parts.length > most) throw wrong(field, `has ${parts.length} items; at most ${most} are taken`);
  return parts.map((value, index) => partText(value, `${field}.${index}`, reading)).join('\n');
}

function toTurn(
  value: unknown,
  field: string,
  reading: Reading,
  calls: Map<string, string>,
): { who: string; text: string } {
  const read = readItem(item, value, field, reading);
  if ('role' in read) return { who: read.role, text: contentText(read.content, `${field}.content`, reading) };
  switch (read.type) {
    case 'function_call':
    case 'custom_tool_call':
      calls.set(read.call_id, read.name);
      return { who: 'assistant', text: `calls ${read.name}: ${'arguments' in read ? read.arguments : read.input}` };
    default: {
      const name = calls.get(read.call_id);
      if (name === undefined) throw wrong(`${field}.call_id`, 'belongs to no call before it');
      return { who: `output of ${name}`, text: contentText(read.output, `${field}.output`, reading) };
    }
  }
}

function partText(value: unknown, field: string, reading: Reading): string {
  const read = readItem(part, value, field, reading);
  switch (read.type) {
    case 'input_json':
      return asText(read.data);
    case 'refusal':
      return read.refusal;
    case 'input_image':
      throw new AppError('invalid_request', `"${reading.model}" reads text only, and was sent an image.`, {
        field,
        fix: 'Send text, or choose a model that reads it.',
      });
    default:
      return read.text;
  }
}
