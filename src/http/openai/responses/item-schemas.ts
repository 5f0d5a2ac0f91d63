import { z } from 'zod';
import { reasoningField, textFormat } from './schema.ts';

/** A part by any of its types: what of it is read. */
const part = z.object({
  type: z.string().max(64),
  text: z.string().optional(),
  ...Object.fromEntries(
    ['refusal', 'image_url', 'file_id', 'detail', 'filename', 'file_url', 'file_data'].map((name) => [
      name,
      z.unknown().optional(),
    ]),
  ),
});
const parts = z.array(part).max(1024);
const callId = z.string().min(1).max(256);
const called = z.string().min(1).max(256);

const output = z.union([z.string(), parts]);

/** What every item may have: they are kept with it, for whoever asks for the input of a response. */
const kept = { type: z.unknown().optional(), id: z.unknown().optional(), status: z.unknown().optional() };

/**
 * An item of the input by its type, with the fields that are read. An item is kept as it came; what else stands in it is not
 * looked at, and named.
 */
export const itemSchemas = {
  message: z.object({
    ...kept,
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: z.union([z.string(), parts]),
  }),
  function_call: z.object({
    ...kept,
    call_id: callId,
    name: called,
    namespace: called.nullish(),
    arguments: z.string(),
  }),
  function_call_output: z.object({ ...kept, call_id: callId, output }),
  custom_tool_call: z.object({
    ...kept,
    call_id: callId,
    name: called,
    namespace: called.nullish(),
    input: z.string(),
  }),
  custom_tool_call_output: z.object({ ...kept, call_id: callId, output }),
  reasoning: z.object({
    ...kept,
    summary: parts.nullish(),
    content: parts.nullish(),
    encrypted_content: z.string().nullish(),
  }),
  compaction: z.object({ ...kept, encrypted_content: z.string() }),
  item_reference: z.object({ ...kept, id: z.string().min(1).max(256) }),
  local_shell_call: z.object({ ...kept, call_id: callId, action: z.looseObject({}) }),
  // The type of the SDK has only the id here, which is that of the call.
  local_shell_call_output: z.object({ ...kept, id: callId.nullish(), call_id: callId.nullish(), output: z.string() }),
  apply_patch_call: z.object({ ...kept, call_id: callId, operation: z.looseObject({}) }),
  apply_patch_call_output: z.object({
    ...kept,
    call_id: callId,
    status: z.enum(['completed', 'failed']),
    output: z.string().nullish(),
  }),
  configuration_update: z.object({
    ...kept,
    reasoning: z.object(reasoningField.shape).nullish(),
    text: z.object({ format: z.object(textFormat.shape).nullish() }).nullish(),
  }),
  additional_tools: z.object({ ...kept, tools: z.array(z.looseObject({ type: z.string().max(64) })).max(128) }),
};

export type ItemType = keyof typeof itemSchemas;

export function isItemType(type: string): type is ItemType {
  return Object.hasOwn(itemSchemas, type);
}
