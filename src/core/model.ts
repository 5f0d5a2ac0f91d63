import type { OutputFormat } from './chat.ts';
import type { ContentPart } from './content.ts';

/** What a model was made for: to continue text, to make vectors of texts, to rate documents against a query. */
export type Operation = 'generate' | 'embed' | 'rank';

/** What can be asked of a model: what it was made for, or decisions, which those that continue text give too. */
export type Ability = Operation | 'decide';

/** What a provider can do with a model. What is not in it is refused by the provider, with the field's name. */
export interface Capabilities {
  operations: readonly Ability[];
  /** Parts that it reads. Text, tool calls and their results are read wherever text is generated. */
  reads: readonly ContentPart['type'][];
  tools: boolean;
  /** How an answer can be held to a form. */
  formats: readonly OutputFormat['type'][];
  logprobs: boolean;
  /** Most answers to one request. */
  choices: number;
  /** Most tokens of one answer; left out: unknown, or only the context bounds it. */
  maxOutputTokens?: number;
  /** Most tokens of a prompt, however it is asked for (Claude takes longer ones with a beta flag); left out: unknown. */
  mostPromptTokens?: number;
  /** Whether the tokens of a prompt can be counted without an answer; left out: they can. */
  countsTokens?: boolean;
}

/** A model as any provider can describe it. What only a file on this machine tells is the engine's `LocalModel`. */
export interface ModelInfo {
  /** Name to ask for. */
  id: string;
  /** Other names that lead to it. */
  aliases: readonly string[];
  /** Id of the provider that has it. */
  provider: string;
  /** For people; the id where it has no other name. */
  displayName: string;
  /** When it was made, or came here; null: unknown. */
  createdAt: Date | null;
  /** Most tokens of prompt and answer; null: unknown. */
  contextTokens: number | null;
  /** Most tokens of one answer; null: unknown, or only the context bounds it. */
  maxOutputTokens: number | null;
  /** `ready`: answers at once; `available`: has to be loaded first; `unavailable`: `reason` says why. */
  state: 'ready' | 'available' | 'unavailable';
  reason: string | null;
  /** Whether it may think before it answers. */
  thinks: boolean;
  capabilities: Capabilities;
}
