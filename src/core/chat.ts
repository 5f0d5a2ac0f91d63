/** One piece of a message. Images and other media join this union when a provider can read them. */
export interface TextPart {
  type: 'text';
  text: string;
}

export type ContentPart = TextPart;

/** A call of a tool that the model asked for. `arguments` is the parsed JSON object. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: Record<string, unknown>;
}

export type ChatMessage =
  | { role: 'system'; content: ContentPart[] }
  | { role: 'user'; content: ContentPart[] }
  | { role: 'assistant'; content: ContentPart[]; reasoning?: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; toolCallId: string; name?: string; content: ContentPart[] };

/** A function the model may call. `parameters` is a JSON Schema of type object, or absent for no arguments. */
export interface ToolDefinition {
  name: string;
  description?: string;
  parameters?: Record<string, unknown>;
}

export type ToolChoice = { type: 'auto' } | { type: 'none' } | { type: 'required' } | { type: 'tool'; name: string };

/** How the next token is chosen. A field left out means the default of the model's provider. */
export interface Sampling {
  /** 0 is greedy; at most 2. */
  temperature?: number;
  /** 0 < topP <= 1. */
  topP?: number;
  /** 0 or absent: no limit asked for. */
  topK?: number;
  /** 0 to 1. */
  minP?: number;
  /** 0 to 2^32 - 1; absent means a random seed per request. */
  seed?: number;
  /** Multiplicative penalty, 1 is off. */
  repeatPenalty?: number;
  /** -2 to 2, OpenAI semantics, over all generated tokens. */
  frequencyPenalty?: number;
  /** -2 to 2, OpenAI semantics, over all generated tokens. */
  presencePenalty?: number;
  /** Added to the logit of a token id, -100 to 100; at most 300 entries. */
  logitBias?: Record<number, number>;
  /** Never end by the end token; the answer runs to `maxTokens` or a stop string. */
  ignoreEnd?: boolean;
  /** The end token is not chosen before this many tokens. */
  minTokens?: number;
  /** Exclude top choices: with `probability`, drop all but the least of the candidates above `threshold`. */
  xtc?: { probability: number; threshold: number };
  /** Penalty for repeating sequences ("don't repeat yourself"). */
  dry?: { multiplier: number; base?: number; allowedLength?: number; lastTokens?: number; sequenceBreakers?: string[] };
}

/** What the text of an answer must be. A schema that cannot be kept is refused before anything is decoded. */
export type OutputFormat = { type: 'text' } | { type: 'json' } | { type: 'json-schema'; schema: unknown };

/** A conversation for the model's chat template, or text that is continued as it stands. */
export type ChatInput =
  | {
      type: 'chat';
      messages: ChatMessage[];
      tools: ToolDefinition[];
      toolChoice: ToolChoice;
      /** Switches that the model's template knows, such as `enable_thinking`. */
      templateOptions?: Record<string, unknown>;
    }
  | { type: 'text'; prompt: string };

/**
 * What every dialect asks and every provider answers: one request for one generated answer.
 * `model` is a name or alias as the client gave it; the gateway resolves it.
 */
export interface ChatRequest {
  model: string;
  input: ChatInput;
  sampling: Sampling;
  /** Absent: plain text. */
  format?: OutputFormat;
  /** Log probabilities of each token wanted, with this many alternatives (0 to 20). */
  logprobs?: { top: number };
  /** Upper bound for generated tokens; absent means until the end of the context. */
  maxTokens?: number;
  /** Strings that end the answer and are not part of it; at most 16 of at most 256 characters. */
  stop: string[];
  /** How long the model stays loaded after this request, in milliseconds; Infinity: for ever; absent: as configured. */
  keepAliveMs?: number;
  /** Whose kept states and texts this request may use; absent: shared by all. Says nothing of the key behind it. */
  owner?: string;
  /** `none`: no reuse, and nothing is kept; `pin`: the prompt is kept whatever it cost. Absent: as it pays. */
  promptCache?: 'none' | 'pin';
}

/** All text of a message's parts, joined. */
export function textOf(content: ContentPart[]): string {
  return content.map((part) => part.text).join('');
}
