import type { ChatRequest } from '../../../core/chat.ts';
import { toPromptCache } from '../../fields/cache-prompt.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { toSampling, toStop } from '../../fields/sampling.ts';
import type { CommonValues } from './common-fields.ts';

/** The common fields of a body in the words of the core. `maxTokens`: null where the body bounds nothing. */
export function toCommon(body: CommonValues, maxTokens: number | null): Omit<ChatRequest, 'input'> {
  const keepAlive = body.keep_alive ?? null;
  return {
    model: body.model ?? 'default',
    sampling: toSampling(body),
    stop: toStop(body.stop),
    ...(maxTokens !== null && { maxTokens }),
    ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
    ...toPromptCache(body.cache_prompt),
    ...((body.n ?? 1) > 1 && { choices: body.n! }),
  };
}
