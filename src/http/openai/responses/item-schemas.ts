import { z } from 'zod';
import { reasoningField, textFormat } from './schema.ts';

const part = z.looseObject({ type: z.string().max(64), text: z.string().optional() });
const parts = z.array(part).max(1024);
const callId = z.string().min(1).max(256);
const called = z.string().min(1).max(256);

const output = z.union([z.string(), parts]);

/** An item of the input by its type. What stands in an item beside these fields is kept and not looked at. */
export const itemSchemas = {
  message: z.looseObject({
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: z.union([z.string(), parts]),
  }),
  function_call: z.looseObject({ call_id: callId, name: called, arguments: z.string() }),
  function_call_output: z.looseObject({ call_id: callId, output }),
  custom_tool_call: z.looseObject({ call_id: callId, name: called, input: z.string() }),
  custom_tool_call_output: z.looseObject({ call_id: callId, output }),
  reasoning: z.looseObject({
    summary: parts.nullish(),
    content: parts.nullish(),
    encrypted_content: z.string().nullish(),
  }),
  compaction: z.looseObject({ encrypted_content: z.string() }),
  item_reference: z.looseObject({ id: z.string().min(1).max(256) }),
  local_shell_call: z.looseObject({ call_id: callId, action: z.looseObject({}) }),
  // The type of the SDK has only the id here, which is that of the call.
  local_shell_call_output: z.looseObject({ id: callId.nullish(), call_id: callId.nullish(), output: z.string() }),
  apply_patch_call: z.looseObject({ call_id: callId, operation: z.looseObject({}) }),
  apply_patch_call_output: z.looseObject({
    call_id: callId,
    status: z.enum(['completed', 'failed']),
    output: z.string().nullish(),
  }),
  configuration_update: z.looseObject({
    reasoning: reasoningField.nullish(),
    text: z.looseObject({ format: textFormat.nullish() }).nullish(),
  }),
  additional_tools: z.looseObject({ tools: z.array(z.looseObject({ type: z.string().max(64) })).max(128) }),
};

export type ItemType = keyof typeof itemSchemas;

export function isItemType(type: string): type is ItemType {
  return Object.hasOwn(itemSchemas, type);
}
