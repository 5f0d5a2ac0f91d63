import { z } from 'zod';
import { costField } from '../../answer/answer.ts';
import { count } from '../../fields/answer-values.ts';
import { excludes } from '../../fields/exclusions.ts';
import { finishReason, nativeToolCall, nativeUsage, settingFields } from '../generate/generate.ts';

const message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant'], { error: 'role must be one of system, user, assistant' }),
    content: z.string(),
  })
  .meta({ id: 'NativeMessage' });

/** Body and answer of `/chat` in the native dialect. */
export const nativeChatBody = z
  .strictObject({
    messages: z.array(message).min(1).max(4_096),
    ...settingFields,
    stream: z.boolean().optional(),
  })
  .meta({
    id: 'ChatRequest',
    override: excludes('stop', 'stop_sequences'),
    examples: [{ messages: [{ role: 'user', content: 'What is Hearth?' }], max_tokens: 64, temperature: 0 }],
  });

export type NativeChatBody = z.infer<typeof nativeChatBody>;

export const nativeChatAnswer = z
  .object({
    message: z.object({
      role: z.literal('assistant'),
      content: z.string(),
      reasoning: z.string().optional(),
      tool_calls: z.array(nativeToolCall).optional(),
    }),
    usage: nativeUsage,
    latency: z.number().meta({ description: 'Seconds' }),
    latency_ms: count,
    model: z.string(),
    provider: z.string(),
    finish_reason: finishReason,
    cost: costField,
    request_id: z.string(),
  })
  .meta({ id: 'ChatResponse' });
