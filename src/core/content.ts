/** Dialects whose own words may travel beside the common ones. */
export type Dialect = 'openai' | 'anthropic' | 'ollama' | 'bedrock' | 'native';

/** Fields that only one dialect knows, by that dialect. A provider that speaks it may use them, all others leave them. */
export type Extra = Partial<Record<Dialect, Readonly<Record<string, unknown>>>>;

/** Everything up to and including what carries it is worth keeping for so long; null: as long as the provider likes. */
export interface CacheMark {
  ttlSeconds: 300 | 3600 | null;
}

/** What any part, message or tool may carry beside its content. */
export interface Marked {
  cacheMark?: CacheMark;
  extra?: Extra;
}

/** Where the bytes of an image or a document are. `file`: an id that only its provider knows. */
export type MediaSource =
  | { type: 'bytes'; base64: string }
  | { type: 'url'; url: string }
  | { type: 'file'; fileId: string };

/** A place in a source that a text rests on, as its provider describes it; `raw` is what it sent. */
export interface Citation {
  citedText: string | null;
  /** Title of the document or page; null: it has none. */
  title: string | null;
  url: string | null;
  dialect: Dialect;
  raw: unknown;
}

export interface TextPart extends Marked {
  type: 'text';
  text: string;
  citations?: readonly Citation[];
}

export interface ImagePart extends Marked {
  type: 'image';
  /** For example `image/png`; null: whoever fetches the address will see. */
  mediaType: string | null;
  source: MediaSource;
}

export interface DocumentPart extends Marked {
  type: 'document';
  /** For example `application/pdf` or `text/plain`; null: unknown. */
  mediaType: string | null;
  source: MediaSource | { type: 'text'; text: string };
  title?: string;
  /** What the document is for, in words that are not cited. */
  context?: string;
  /** Whether the answer may cite it; left out: no. */
  mayBeCited?: boolean;
}

/**
 * What a model thought before it spoke. Either `text` (with the signature that proves whose it is, null where its maker
 * signs nothing) or `redactedData`, which only its maker can read.
 */
export interface ReasoningPart extends Marked {
  type: 'reasoning';
  text: string;
  signature: string | null;
  redactedData: string | null;
  /** Id of the provider that made it, and its model; null: unknown. Another origin's signature is worth nothing. */
  origin: { provider: string; model: string } | null;
}

/** What signatures of this server begin with: they prove nothing to anyone else, and are sent to nobody. */
export const ownSignaturePrefix = 'hearth-thinking-';

/** A call of a tool that the model asked for. */
export interface ToolCallPart extends Marked {
  type: 'tool-call';
  id: string;
  name: string;
  /** The parsed JSON object; empty where the text is not one. */
  arguments: Record<string, unknown>;
  /** The text that `arguments` was read from; left out where there was none. */
  argumentsText?: string;
}

/** What a tool answered to a call. */
export interface ToolResultPart extends Marked {
  type: 'tool-result';
  callId: string;
  /** Name of the tool; left out where the dialect does not repeat it. */
  name?: string;
  isError: boolean;
  content: (TextPart | ImagePart | DocumentPart)[];
}

/** A block that only its own provider understands, kept as it came so that it can be sent back. */
export interface OpaquePart extends Marked {
  type: 'opaque';
  dialect: Dialect;
  block: unknown;
}

/** What a person or a program says to a model. */
export type UserPart = TextPart | ImagePart | DocumentPart | ToolResultPart | OpaquePart;

/** What a model says; the blocks of an answer are these, so that they can go back as history unchanged. */
export type AssistantPart = TextPart | ReasoningPart | ToolCallPart | ImagePart | OpaquePart;

export type ContentPart = UserPart | AssistantPart;

/** All text among the parts, joined. */
export function textOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** All readable reasoning among the parts, joined. */
export function reasoningOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join('');
}

/** The tool calls among the parts, in order. */
export function toolCallsOf(parts: readonly ContentPart[]): ToolCallPart[] {
  return parts.filter((part) => part.type === 'tool-call');
}

/** The arguments of a tool call from their text; text that is no JSON object gives an empty object. */
export function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    // Models write broken JSON now and then, and the text itself stays available.
    return {};
  }
}
