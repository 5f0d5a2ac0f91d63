import type { ChatInput, ChatRequest, OutputFormat } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toPromptCache } from '../../fields/cache-prompt.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { toSampling, toStop } from '../../fields/sampling.ts';
import type { GenerateBody, SettingValues } from './schema.ts';

/** A generation in the words of the core. Throws `invalid_request` for fields that contradict each other. */
export function generateToCore(body: Omit<GenerateBody, 'stream'>): ChatRequest {
  const system = either(body.system_prompt, body.system, 'system_prompt', 'system');
  return { ...settingsToCore(body), input: toInput(body.prompt, system, body.raw ?? false) };
}

/** All of a request but what it asks. Throws as `generateToCore` does. */
export function settingsToCore(body: SettingValues): Omit<ChatRequest, 'input'> {
  const stop = either(body.stop, body.stop_sequences, 'stop', 'stop_sequences');
  return {
    model: body.model ?? 'default',
    sampling: toSampling(body),
    ...(body.format !== undefined && { format: toFormat(body.format) }),
    stop: toStop(stop),
    ...(body.max_tokens !== undefined && { maxTokens: body.max_tokens }),
    ...(body.keep_alive !== undefined && { keepAliveMs: parseKeepAlive(body.keep_alive) }),
    ...toPromptCache(body.cache_prompt),
  };
}

function toInput(prompt: string, system: string | undefined, raw: boolean): ChatInput {
  if (raw) {
    if (system === undefined) return { type: 'text', prompt };
    const message = 'Instructions need the chat template, which "raw" leaves out.';
    throw new AppError('invalid_request', message, { field: 'raw', fix: 'Put the instructions into the prompt.' });
  }
  return toConversation([
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    { role: 'user', content: prompt },
  ]);
}

/** Turns of plain text as a conversation of the core. */
export function toConversation(
  turns: readonly { role: 'system' | 'user' | 'assistant'; content: string }[],
): ChatInput {
  return {
    type: 'chat',
    messages: turns.map(({ role, content }) => ({ role, content: [{ type: 'text', text: content }] })),
    tools: [],
    toolChoice: { type: 'auto' },
  };
}

function toFormat(format: NonNullable<SettingValues['format']>): OutputFormat {
  return format === 'json' ? { type: 'json' } : { type: 'json-schema', schema: format };
}

/** Two names for one thing; both at once is a contradiction. */
function either<Value>(first: Value | undefined, second: Value | undefined, name: string, other: string) {
  if (first !== undefined && second !== undefined) {
    throw new AppError('invalid_request', `"${name}" and "${other}" mean the same.`, {
      field: other,
      fix: 'Send one.',
    });
  }
  return first ?? second;
}
