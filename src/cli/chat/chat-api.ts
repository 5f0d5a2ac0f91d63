import { z } from 'zod';
import { AppError } from '../../core/errors.ts';

/** A turn of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** How far a request may go for its answer. */
export type CloudMark = 'never' | 'allow' | 'require';

/** What is asked of a model. */
export interface ChatWish {
  model: string;
  messages: readonly ChatMessage[];
  /** Sampling and limits, by the names of Ollama's API. */
  options: Readonly<Record<string, unknown>>;
  /** Whether it is to think; null: as it does by itself. */
  think: boolean | null;
  /** What the answer is held to: JSON, or a JSON schema; null: nothing. */
  format: 'json' | Record<string, unknown> | null;
  /** Null: the server's rule for unmarked requests, which stay in the house. */
  cloud: CloudMark | null;
}

/** Counts and times of one answer as the server took them. */
export interface AnswerEnd {
  reason: 'stop' | 'length';
  promptTokens: number;
  answerTokens: number;
  /** Waiting for the model and for its turn. */
  waitMs: number;
  promptMs: number;
  /** From the first token to the last. */
  answerMs: number;
}

/** A part of an answer, in the order in which it is said. */
export type ChatPiece = { type: 'text' | 'thinking'; text: string } | { type: 'end'; end: AnswerEnd };

/** An answer that has begun. */
export interface ChatAnswer {
  /** `local`, or the provider of another machine. */
  provider: string;
  /** The model that answers, by its own name. */
  model: string;
  /** Oldest messages that the context had no room for. */
  leftOutMessages: number;
  /** What was asked for and changes nothing, by name. */
  ignored: string[];
  /** Throws an `AppError` for a failure on the way, and the reason of the signal. */
  pieces: AsyncIterable<ChatPiece>;
}

/** What a request waits for. */
export interface Waiting {
  stage: 'queued' | 'loading' | 'prompt' | 'retrying';
  /** In the queue, 1 being the next; null: it is in none. */
  place: number | null;
  /** Until its turn; null: unknown. */
  estimateMs: number | null;
  /** Part of the prompt that was read, 0 to 1; null: it is not being read. */
  promptShare: number | null;
}

/** What a chat asks of a server. Failures are `AppError`s. */
export interface ChatClient {
  /** Resolves when the answer begins. `requestId`: 1 to 64 letters, digits, `_` and `-`. An abort ends it on the server too. */
  chat(wish: ChatWish, requestId: string, signal: AbortSignal): Promise<ChatAnswer>;
  /** What a request waits for; null: for nothing that is known. */
  waiting(requestId: string): Promise<Waiting | null>;
}

export const chatPath = '/api/chat';

/** The body of `POST /api/chat`. */
export function toChatBody({ model, messages, options, think, format }: ChatWish): object {
  return {
    model,
    messages,
    stream: true,
    options,
    ...(think !== null && { think }),
    ...(format !== null && { format }),
  };
}

const lineOfAnswer = z.object({
  message: z.object({ content: z.string().default(''), thinking: z.string().default('') }).optional(),
  done: z.boolean().default(false),
  done_reason: z.string().optional(),
  prompt_eval_count: z.number().default(0),
  eval_count: z.number().default(0),
  load_duration: z.number().default(0),
  prompt_eval_duration: z.number().default(0),
  eval_duration: z.number().default(0),
});

const failure = z.object({ error: z.string() });

/** Nanoseconds, as the lines have them. */
const toMs = (nanoseconds: number) => nanoseconds / 1e6;

/** What a line of `POST /api/chat` says. Throws an `AppError` for a failure, and for what is no such line. */
export function readPieces(line: string): ChatPiece[] {
  const value = jsonOf(line);
  const failed = failure.safeParse(value);
  if (failed.success) throw new AppError('internal_error', failed.data.error);
  const parsed = lineOfAnswer.safeParse(value);
  if (!parsed.success) {
    throw new AppError('internal_error', 'The server sent a piece of an answer that this version cannot read.', {
      cause: parsed.error,
    });
  }
  const { message, done, ...last } = parsed.data;
  return [
    ...(message?.thinking ? [{ type: 'thinking' as const, text: message.thinking }] : []),
    ...(message?.content ? [{ type: 'text' as const, text: message.content }] : []),
    ...(done ? [{ type: 'end' as const, end: toEnd(last) }] : []),
  ];
}

function toEnd(last: Omit<z.output<typeof lineOfAnswer>, 'message' | 'done'>): AnswerEnd {
  return {
    reason: last.done_reason === 'length' ? 'length' : 'stop',
    promptTokens: last.prompt_eval_count,
    answerTokens: last.eval_count,
    waitMs: toMs(last.load_duration),
    promptMs: toMs(last.prompt_eval_duration),
    answerMs: toMs(last.eval_duration),
  };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // No piece of an answer: the schema says so.
    return null;
  }
}

/** `GET /requests`, of which one is looked for. */
export const liveRequests = z.object({
  requests: z.array(
    z.object({
      request_id: z.string(),
      stage: z.enum(['queued', 'loading', 'prompt', 'retrying']).nullable().catch(null),
      place: z.number().nullable(),
      estimate_ms: z.number().nullable(),
      prompt_progress: z.number().nullable(),
    }),
  ),
});

/** What the request of that id waits for. */
export function waitingIn({ requests }: z.output<typeof liveRequests>, requestId: string): Waiting | null {
  const found = requests.find(({ request_id }) => request_id === requestId);
  if (!found || found.stage === null) return null;
  return {
    stage: found.stage,
    place: found.place,
    estimateMs: found.estimate_ms,
    promptShare: found.prompt_progress,
  };
}
