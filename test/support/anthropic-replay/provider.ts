import type { ChatRequest } from '../../../src/core/chat.ts';
import type { StreamEvent } from '../../../src/core/events.ts';
import type { Capabilities } from '../../../src/core/model.ts';
import type { Provider } from '../../../src/core/provider.ts';
import { scriptedProvider } from '../scripted-provider.ts';
import { recordedEvents, toStreamEvents, type Wire } from './from-wire.ts';
import { toBody } from './to-wire.ts';

const capabilities: Capabilities = {
  operations: ['generate'],
  reads: ['text', 'image', 'document', 'reasoning', 'tool-call', 'tool-result', 'opaque'],
  tools: true,
  formats: ['text', 'json-schema'],
  logprobs: false,
  choices: 1,
};

export interface ReplayProvider extends Provider {
  /** The requests that arrived, and what would have been sent for each. */
  arrived: { request: ChatRequest; body: Wire }[];
}

/** A cloud provider that answers every request with one recorded event stream of Anthropic's API. */
export function createReplayProvider(recording: string): ReplayProvider {
  const arrived: ReplayProvider['arrived'] = [];
  return {
    ...scriptedProvider([], { id: 'anthropic', commitsAt: 'content', capabilities: () => capabilities }),
    arrived,
    async *stream(request): AsyncGenerator<StreamEvent> {
      arrived.push({ request, body: toBody(request) });
      yield* toStreamEvents(recordedEvents(recording));
    },
  };
}
