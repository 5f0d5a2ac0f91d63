import { signal } from '@preact/signals';
import type { Failure } from '../../api/failure.ts';

/** A call of a tool that the model wants made. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON, as the model wrote it. */
  arguments: string;
}

/** One turn of the conversation. */
export type Turn =
  | { role: 'user'; text: string }
  | { role: 'tool'; callId: string; name: string; text: string }
  | {
      role: 'assistant';
      text: string;
      thinking: string;
      calls: ToolCall[];
      /** `null`: it has its end. */
      state: 'waiting' | 'thinking' | 'writing' | null;
      requestId: string;
      model: string;
      /** What became of it: tokens, times in milliseconds; null: not known (yet). */
      promptTokens: number | null;
      outputTokens: number | null;
      firstTokenMs: number | null;
      tokensPerSecond: number | null;
      finishReason: string | null;
      provider: string | null;
      wasStopped: boolean;
      failure: Failure | null;
    };

export type Answer = Extract<Turn, { role: 'assistant' }>;

/** How answers are made. Empty: as the model has it. */
export interface Sampling {
  system: string;
  temperature: string;
  topP: string;
  maxTokens: string;
  seed: string;
  /** Of models that can: whether they reason first. */
  thinks: 'default' | 'yes' | 'no';
  /** A list of tools, as OpenAI has them; JSON. */
  tools: string;
}

export const noSampling: Sampling = {
  system: '',
  temperature: '',
  topP: '',
  maxTokens: '',
  seed: '',
  thinks: 'default',
  tools: '',
};

/** They last as long as the page: nothing of a conversation is kept on the device. */
export const turns = signal<readonly Turn[]>([]);
export const sampling = signal<Sampling>(noSampling);
export const draft = signal('');
export const model = signal('');

/** The tools of the settings, as they are sent; null: they are no list. Empty where there are none. */
export function toolsOf({ tools }: Pick<Sampling, 'tools'>): unknown[] | null {
  if (tools.trim() === '') return [];
  try {
    const list: unknown = JSON.parse(tools);
    return Array.isArray(list) ? list : null;
  } catch {
    return null;
  }
}

/** The body of the request that goes on with a conversation. */
export function requestBody(of: {
  model: string;
  turns: readonly Turn[];
  sampling: Sampling;
}): Record<string, unknown> {
  const { system, temperature, topP, maxTokens, seed, thinks } = of.sampling;
  const tools = toolsOf(of.sampling) ?? [];
  const number = (text: string) => (text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text));
  return {
    model: of.model,
    messages: [
      ...(system.trim() === '' ? [] : [{ role: 'system', content: system }]),
      ...of.turns
        .filter((turn) => turn.role !== 'assistant' || turn.text !== '' || turn.calls.length > 0)
        .map(toMessage),
    ],
    ...defined('temperature', number(temperature)),
    ...defined('top_p', number(topP)),
    ...defined('max_tokens', number(maxTokens)),
    ...defined('seed', number(seed)),
    ...(tools.length > 0 && { tools }),
    ...(thinks !== 'default' && { chat_template_kwargs: { enable_thinking: thinks === 'yes' } }),
    stream: true,
  };
}

function defined(name: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [name]: value };
}

function toMessage(turn: Turn): Record<string, unknown> {
  if (turn.role === 'user') return { role: 'user', content: turn.text };
  if (turn.role === 'tool') return { role: 'tool', tool_call_id: turn.callId, content: turn.text };
  return {
    role: 'assistant',
    content: turn.text,
    ...(turn.calls.length > 0 && {
      tool_calls: turn.calls.map(({ id, name, arguments: text }) => ({
        id,
        type: 'function',
        function: { name, arguments: text },
      })),
    }),
  };
}
