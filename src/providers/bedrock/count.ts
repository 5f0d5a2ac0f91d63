import type { CountTokensCommandInput } from '@aws-sdk/client-bedrock-runtime';
import type { ProviderConfig } from '../../config/providers.ts';
import type { ChatRequest } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { BedrockClient } from './client.ts';
import { toUpstreamError } from './errors.ts';
import type { ChosenModel } from './model-book.ts';
import { counted, isRelayable, nativeBody } from './relay.ts';
import { toWire } from './to-wire.ts';

/** Counts tokens with CountTokens, which is free of charge. */
export interface TokenCounter {
  /** Rejects with `not_supported` where Bedrock does not count for the model: an estimate would be taken for a count. */
  count(request: ChatRequest, model: ChosenModel, signal: AbortSignal): Promise<number>;
  /** Resolves when Bedrock answers with our credentials, whatever it says of the model's counting. */
  probe(model: ChosenModel, signal: AbortSignal): Promise<void>;
}

/** Some models are counted for by the id of their profile only, some only without it; which is which changes. */
export function createTokenCounter(deps: { client: BedrockClient; config: ProviderConfig }): TokenCounter {
  const { client, config } = deps;
  const provider = config.id;
  /** The id that worked, by model. */
  const working = new Map<string, string>();

  const idsOf = ({ id, base }: ChosenModel): string[] => {
    const ladder = base === null || base === id ? [id] : [id, base];
    const known = working.get(id);
    return known === undefined ? ladder : [known, ...ladder.filter((one) => one !== known)];
  };

  return {
    async count(request, model, signal) {
      const none = new AppError('not_supported', 'Bedrock does not count tokens for this model.', { field: 'model' });
      if (!model.row.countTokens) throw none;
      const input = inputOf(request, model, config);
      for (const modelId of idsOf(model)) {
        try {
          const promptTokens = await client.countTokens({ modelId, input }, signal);
          working.set(model.id, modelId);
          return promptTokens;
        } catch (error) {
          const failure = toUpstreamError(error, { provider, modelId, isRelayed: false });
          const saysItCannot = failure.code === 'upstream_refused' && /count/i.test(failure.message);
          if (!saysItCannot && failure.code !== 'upstream_access_denied') throw failure;
        }
      }
      throw none;
    },
    async probe(model, signal) {
      const input = { converse: { messages: [{ role: 'user' as const, content: [{ text: 'hi' }] }] } };
      const modelId = model.base ?? model.id;
      await client.countTokens({ modelId, input }, signal).catch((error: unknown) => {
        const failure = toUpstreamError(error, { provider, modelId, isRelayed: false });
        // Who says what is wrong with a request is there, and knows us.
        if (failure.code !== 'upstream_refused' && (error as Error).name !== 'ValidationException') throw failure;
      });
    },
  };
}

function inputOf(request: ChatRequest, model: ChosenModel, config: ProviderConfig): CountTokensCommandInput['input'] {
  const { row, maxOutputTokens, id: modelId } = model;
  const provider = config.id;
  if (isRelayable(request, row, counted)) {
    // It is counted as if it were asked, for which a bound is needed.
    return { invokeModel: { body: nativeBody(request.original, row, config.apiVersion, { max_tokens: 1024 }).bytes } };
  }
  if (request.onlyRelayed) {
    throw new AppError('not_supported', `${provider} cannot pass this request on as it is.`, { field: 'original' });
  }
  const { input } = toWire(request, { modelId, row, provider, maxOutputTokens });
  const { messages, system, toolConfig, additionalModelRequestFields } = input;
  return {
    converse: {
      messages,
      ...(system && { system }),
      ...(toolConfig && { toolConfig }),
      ...(additionalModelRequestFields !== undefined && { additionalModelRequestFields }),
    },
  };
}
