import type { ChatRequest } from '../../../core/chat.ts';
import { toPromptCache } from '../../fields/cache-prompt.ts';
import type { FieldNames } from '../../fields/field-names.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { toSampling, toStop } from '../../fields/sampling.ts';
import type { CommonValues } from './common-fields.ts';
import { refuseUnkept } from './refused-fields.ts';
import { formatOf } from './response-format.ts';

/**
 * The common fields of a body in the words of the core. `maxTokens`: under a name of the endpoint's own; `otherwise`:
 * where the body says nothing of it, null: no bound. Throws `invalid_request` for what must not be dropped.
 */
export function toCommon(
  body: CommonValues,
  { maxTokens = null, otherwise }: { maxTokens?: number | null; otherwise: number | null },
): Omit<ChatRequest, 'input'> {
  refuseUnkept(body);
  const wish = formatOf(body);
  const mostTokens = maxTokens ?? body.max_tokens ?? body.n_predict ?? otherwise;
  const keepAlive = body.keep_alive ?? null;
  return {
    model: body.model ?? 'default',
    sampling: toSampling(body),
    stop: toStop(body.stop),
    ...(mostTokens !== null && mostTokens !== -1 && { maxTokens: mostTokens }),
    ...(wish && { format: wish.format }),
    ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
    ...toPromptCache(body.cache_prompt),
    ...((body.n ?? 1) > 1 && { choices: body.n! }),
    ...(body.user && { endUserId: body.user }),
  };
}

/** Fields of `stream_options` that are taken and change nothing, as the header `x-hearth-ignored` names them. */
export function ignoredInOptions({ stream_options }: CommonValues): string[] {
  return (stream_options?.include_obfuscation ?? null) === null ? [] : ['stream_options.include_obfuscation'];
}

/** What a body calls the fields of the core: those of its endpoint, and the one that says what the answer must be. */
export function namesOf(body: CommonValues, names: FieldNames): FieldNames {
  return { ...names, format: formatOf(body)?.field ?? 'response_format' };
}
