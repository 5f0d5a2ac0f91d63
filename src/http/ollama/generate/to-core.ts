import type { ChatInput, ChatRequest } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toImages } from '../objects/images.ts';
import { jinjaTemplate } from '../objects/template.ts';
import { toCoreWishes } from '../objects/wishes.ts';
import type { GenerateBody } from './schema.ts';

/** What the first seed specification has where its bodies say nothing. */
const seedDefaults = { maxTokens: 800, temperature: 0 };

/** Whether a body is one of the first seed specification and none of Ollama's. */
export function isSeedBody(body: GenerateBody): boolean {
  return [body.max_tokens, body.temperature, body.metadata].some((value) => value !== null && value !== undefined);
}

/** A prompt in the words of the core. Throws `invalid_request` for what the schema cannot see or no model does. */
export function generateToCore(body: GenerateBody): ChatRequest {
  if (body.suffix) {
    throw new AppError('invalid_request', '"suffix": models here do not fill in text.', { field: 'suffix' });
  }
  const wishes = toCoreWishes(body);
  const request = { ...wishes, input: toInput(body), returnsTokens: true };
  if (!isSeedBody(body)) return request;
  return {
    ...request,
    maxTokens: body.max_tokens ?? request.maxTokens ?? seedDefaults.maxTokens,
    sampling: { temperature: body.temperature ?? seedDefaults.temperature, ...request.sampling },
    ...(body.metadata && { metadata: toLabels(body.metadata) }),
  };
}

/** Labels are texts; whatever else a client puts there is written out. */
function toLabels(metadata: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(metadata);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

function toInput(body: GenerateBody): ChatInput {
  const prompt = body.prompt ?? '';
  if (body.raw) {
    const other = (['system', 'template', 'images'] as const).find((name) => body[name]?.length);
    if (other === undefined) return { type: 'text', prompt };
    throw new AppError('invalid_request', `"raw" takes the prompt as it stands and has no place for "${other}".`, {
      field: other,
    });
  }
  return {
    type: 'chat',
    messages: [
      ...(body.system ? [{ role: 'system' as const, content: [{ type: 'text' as const, text: body.system }] }] : []),
      { role: 'user', content: [{ type: 'text', text: prompt }, ...toImages(body.images ?? [])] },
    ],
    tools: [],
    toolChoice: { type: 'none' },
    ...(body.template && { template: jinjaTemplate(body.template) }),
  };
}
