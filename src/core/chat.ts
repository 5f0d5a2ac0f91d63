import type { AssistantPart, Dialect, Extra, Marked, TextPart, UserPart } from './content.ts';

/**
 * One turn of a conversation, its content in order. System messages keep their place. Results of tools stand in the user
 * turn that follows their calls, however a dialect sends them.
 */
export type ChatMessage =
  | ({ role: 'system'; content: TextPart[] } & Marked)
  | ({ role: 'user'; content: UserPart[] } & Marked)
  | ({ role: 'assistant'; content: AssistantPart[] } & Marked);

/** A function the model may call. `parameters` is a JSON Schema of type object, or absent for no arguments. */
export interface ToolDefinition extends Marked {
  name: string;
  description?: string;
  parameters?: Record<string, unknown>;
  /** Arguments must keep to the schema; left out: as well as the provider does it anyway. */
  strict?: boolean;
}

/** `allowed`: all tools stay in the prompt, only these may be called. */
export type ToolChoice =
  | { type: 'auto' }
  | { type: 'none' }
  | { type: 'required' }
  | { type: 'tool'; name: string }
  | { type: 'allowed'; mode: 'auto' | 'required'; names: readonly string[] };

/** Whether and how much a model thinks before it speaks. Left out of a request: as the model does by itself. */
export type ReasoningWish =
  | { mode: 'off' }
  | {
      mode: 'on';
      /** Most tokens of it. */
      budgetTokens?: number;
      effort?: 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';
    };

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
  /**
   * 0 to 1: only tokens about as surprising as the next one is on average, up to this share of probability; 1 or absent is
   * off. Without effect where a grammar binds the answer, which a warning says.
   */
  typicalP?: number;
  /** 0 to 2^32 - 1; absent means a random seed per request. */
  seed?: number;
  /** Multiplicative penalty, 1 is off. */
  repeatPenalty?: number;
  /** -2 to 2, OpenAI semantics, over all generated tokens. */
  frequencyPenalty?: number;
  /** -2 to 2, OpenAI semantics, over all generated tokens. */
  presencePenalty?: number;
  /** How many of the last generated tokens the three penalties look at; absent: all, 0: they are off. */
  penaltyTokens?: number;
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

/** What a client calls a schema, for providers that want to hear it; the schema is kept to all the same. */
export interface SchemaLabels {
  name?: string;
  description?: string;
  strict?: boolean;
}

/**
 * What the text of an answer must be. A schema that cannot be kept is refused before anything is decoded. `gbnf`: a
 * grammar in llama.cpp's notation whose rule `root` is the whole answer.
 */
export type OutputFormat =
  | { type: 'text' }
  | { type: 'json' }
  | ({ type: 'json-schema'; schema: unknown } & SchemaLabels)
  | { type: 'grammar'; gbnf: string };

/** A conversation for the model's chat template, or text (as tokens of the model, too) that is continued as it stands. */
export type ChatInput =
  | {
      type: 'chat';
      messages: ChatMessage[];
      tools: ToolDefinition[];
      toolChoice: ToolChoice;
      /** Whether one turn may hold several calls; left out: it may. */
      parallelToolCalls?: boolean;
      /** The answer goes on where the last message, an assistant's without calls, ends; left out: it is a turn of its own. */
      continuesLast?: boolean;
      /** Switches that the model's template knows, such as `enable_thinking`. */
      templateOptions?: Record<string, unknown>;
      /** A chat template in Jinja, in place of the model's own. */
      template?: string;
    }
  | {
      type: 'text';
      prompt: string | readonly number[];
      /** What stands behind the answer, for models that were made to fill in; left out: nothing is known of it. */
      suffix?: string;
    };

/** A request as it came, so that a provider of the same dialect can pass it on without losing what we do not know. */
export interface OriginalRequest {
  dialect: Dialect;
  /** What was asked for, as the dialect itself names it: `/v1/messages`, `/v1/chat/completions`; without a query. */
  path: string;
  /** The body as it came, byte for byte, after its content encoding is undone. */
  bytes: Uint8Array;
  /** The same, parsed. */
  body: Readonly<Record<string, unknown>>;
  /** Headers that mean something to the provider, in lower case; never credentials. */
  headers: Readonly<Record<string, string>>;
}

/**
 * What every dialect asks and every provider answers: one request for one generated answer, or for several choices of it.
 * `model` is a name or alias as the client gave it; its provider knows what stands behind it. Who asks, and where it may go, stands in the
 * `CallContext` beside it.
 */
export interface ChatRequest {
  model: string;
  input: ChatInput;
  sampling: Sampling;
  /** Absent: plain text. */
  format?: OutputFormat;
  /** Log probabilities of each token wanted, with this many alternatives (0 to 20). */
  logprobs?: { top: number };
  /** Upper bound for generated tokens; 0 only reads the prompt; absent means until the end of the context. */
  maxTokens?: number;
  /** Strings that end the answer and are not part of it; at most 16 of at most 256 characters. */
  stop: string[];
  /** How long the model stays loaded after this request, in milliseconds; Infinity: for ever; absent: as configured. */
  keepAliveMs?: number;
  /** `none`: no reuse, and nothing is kept; `pin`: the prompt is kept whatever it cost. Absent: as it pays. */
  promptCache?: 'none' | 'pin';
  reasoning?: ReasoningWish;
  /** How many answers to give to the one prompt, 1 to 8; absent: 1. With a seed, answer k has the seed plus k. */
  choices?: number;
  /** Whether the answer ends with the tokens of its prompt and its own. */
  returnsTokens?: boolean;
  /** Text that the answer will mostly repeat, for guesses at it. */
  prediction?: string;
  /** The person behind the client, as the client names them. */
  endUserId?: string;
  /** A provider's class of service, in its own word. */
  serviceTier?: string;
  /** The client's own labels. */
  metadata?: Readonly<Record<string, string>>;
  extra?: Extra;
  /** Left out: the request cannot pass as it came, and is translated. */
  original?: OriginalRequest;
  /** Nothing but `original` says what is asked for (it has parts that we do not know): only who relays it can answer. */
  onlyRelayed?: boolean;
  /** Id of the provider that keeps what the request goes on from: nobody else can answer it. */
  keptBy?: string;
}
