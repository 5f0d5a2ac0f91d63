import { z } from 'zod';
import { conversationFields } from '../objects/body.ts';
import { refusedFields } from '../objects/refused-fields.ts';

const mostTokens = 2 ** 31 - 1;
const olderOnly = { description: 'Only at version 2023-06-01.' };

/** Fields that are checked and change nothing here. */
export const ignoredFields = [
  'service_tier',
  'speed',
  'inference_geo',
  'diagnostics',
  'user_profile_id',
  'workspace_id',
] as const;

export const messagesBody = z
  .object({
    ...conversationFields,
    ...refusedFields,
    max_tokens: z
      .int()
      .min(0)
      .max(mostTokens)
      .meta({ description: 'Most tokens of the answer, thinking included; 0 only reads the prompt and keeps it.' }),
    stream: z.boolean().nullish(),
    stop_sequences: z
      .array(z.string().max(256))
      .max(16)
      .nullish()
      .meta({ description: 'Texts that end the answer and are not part of it; the answer says which did.' }),
    temperature: z.number().min(0).max(1).nullish().meta(olderOnly),
    top_p: z.number().min(0).max(1).nullish().meta(olderOnly),
    top_k: z.int().min(0).max(mostTokens).nullish().meta(olderOnly),
    metadata: z.object({ user_id: z.string().max(256).nullish() }).nullish(),
    service_tier: z.string().nullish(),
    speed: z.string().nullish(),
    inference_geo: z.string().nullish(),
    diagnostics: z.record(z.string(), z.unknown()).nullish(),
    user_profile_id: z.string().nullish(),
    workspace_id: z.string().nullish(),
  })
  .meta({
    id: 'AnthropicMessagesRequest',
    examples: [{ model: 'default', max_tokens: 256, messages: [{ role: 'user', content: 'What is Hearth?' }] }],
  });

export type MessagesBody = z.infer<typeof messagesBody>;
