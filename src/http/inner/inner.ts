import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BatchedCall, Principal } from '../../core/call.ts';
import { type AppError, toAppError } from '../../core/errors.ts';
import { type BatchUsage, type ItemAnswer, noUsage, type Perform } from '../../jobs/jobs.ts';

/** A request that the server makes to itself, for an item of a batch. */
export interface InnerCall {
  requestId: string;
  /** In whose name: no key is asked for. */
  principal: Principal;
  /** Aborted when the item is to be given up. */
  signal: AbortSignal;
  /** It goes with others in a batch of a provider's; left out: by itself. */
  batched?: BatchedCall;
  /** Is told why it failed, before its dialect words it. */
  failed(error: AppError): void;
}

export { inItem, itemBody, itemHeaders, prefixOf, webhookOf } from './item.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The call that it is made by; left out: it came from outside. */
    inner?: InnerCall;
  }
}

const calls = new AsyncLocalStorage<InnerCall>();

/** The call that a request is made by. A request from outside has none, whatever it says: nothing of it comes in by the wire. */
export function innerCallOf({ id }: Pick<FastifyRequest, 'id'>): InnerCall | null {
  const call = calls.getStore();
  return call !== undefined && call.requestId === id ? call : null;
}

/**
 * Answers items of batches through the routes that they would be sent to: body, status and failures are those that a client
 * would get, and nothing of a dialect is written twice. What it rejects with is no answer.
 */
export function createPerform(app: FastifyInstance): Perform {
  return async ({ requestId, principal, path, headers, body, batched }, signal): Promise<ItemAnswer> => {
    signal.throwIfAborted();
    let error: AppError | null = null;
    const call: InnerCall = {
      requestId,
      principal,
      signal,
      ...(batched && { batched }),
      failed(reason) {
        error = reason;
      },
    };
    const ask = {
      method: 'POST',
      url: path,
      headers: { ...headers, host: 'localhost', 'content-type': 'application/json', 'x-request-id': requestId },
      payload: body,
    } as const;
    // It is sent when it is awaited, which has to be within the call.
    const response = await calls.run(call, async () => await app.inject(ask));
    const { statusCode: status, body: answer } = response;
    if (status < 400) return { status, body: answer, usage: usageOf(answer), failure: null };
    const { code, retryable, retryAfterSeconds } = error ?? toAppError(new Error(`the route answered ${status}`));
    return { status, body: answer, usage: noUsage, failure: { code, retryable, retryAfterSeconds } };
  };
}

/** Counts of an answer, by whichever of the names that our dialects have for them. */
function usageOf(answer: string): BatchUsage {
  const body = JSON.parse(answer) as { usage?: Record<string, unknown> | null };
  const usage = body.usage ?? {};
  const number = (value: unknown) => (typeof value === 'number' ? value : 0);
  const detail = (of: string, name: string) => {
    const details = usage[of];
    return typeof details === 'object' && details !== null ? number(Reflect.get(details, name)) : 0;
  };
  // Anthropic's input leaves out what was cached.
  const apart = number(usage['cache_read_input_tokens']) + number(usage['cache_creation_input_tokens']);
  return {
    inputTokens: number(usage['input_tokens']) + number(usage['prompt_tokens']) + apart,
    cachedTokens:
      number(usage['cache_read_input_tokens']) +
      detail('prompt_tokens_details', 'cached_tokens') +
      detail('input_tokens_details', 'cached_tokens'),
    outputTokens: number(usage['output_tokens']) + number(usage['completion_tokens']),
    reasoningTokens:
      detail('output_tokens_details', 'thinking_tokens') +
      detail('output_tokens_details', 'reasoning_tokens') +
      detail('completion_tokens_details', 'reasoning_tokens'),
  };
}
