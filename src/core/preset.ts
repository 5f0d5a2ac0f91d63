import type { ChatRequest, Sampling } from './chat.ts';

/** What requests by a name are given where they say nothing themselves. */
export interface Preset {
  /** In front of a conversation that has no system message at its start. */
  system?: string;
  sampling?: Sampling;
  stop?: string[];
  maxTokens?: number;
  /** Context that the model is loaded with. */
  contextTokens?: number;
  /** A chat template in Jinja, in place of the model's own. */
  template?: string;
}

/** A request with what a preset adds to it; what the request says itself stays. */
export function withPreset(request: ChatRequest, preset: Preset): ChatRequest {
  const maxTokens = request.maxTokens ?? preset.maxTokens;
  return {
    ...request,
    input: withPrompt(request.input, preset),
    sampling: { ...preset.sampling, ...request.sampling },
    stop: request.stop.length > 0 ? request.stop : (preset.stop ?? []),
    ...(maxTokens !== undefined && { maxTokens }),
  };
}

function withPrompt(input: ChatRequest['input'], { system, template }: Preset): ChatRequest['input'] {
  if (input.type !== 'chat') return input;
  const isBare = system !== undefined && input.messages[0]?.role !== 'system';
  return {
    ...input,
    ...(isBare && {
      messages: [{ role: 'system' as const, content: [{ type: 'text' as const, text: system }] }, ...input.messages],
    }),
    ...(template !== undefined && input.template === undefined && { template }),
  };
}
