import { z } from 'zod';
import type { AppError } from '../../core/errors.ts';
import type { FinishReason } from '../../core/events.ts';
import { validationError } from '../fields/validation.ts';
import type { toUsage } from '../native/generate/from-core.ts';
import { generateFields } from '../native/generate/schema.ts';
import { errorObject } from '../native/mounts/errors.ts';

/** Chosen by the client; tells the generations of one socket apart. */
const givenId = z.string().min(1).max(64);
const id = givenId.optional();

const clientMessage = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ action: z.literal('generate'), id, ...generateFields }),
    z.strictObject({ action: z.literal('cancel'), id }),
    z.strictObject({ action: z.literal('ping') }),
  ],
  { error: 'action must be one of generate, cancel, ping' },
);

/** What a client may send. */
export type ClientMessage = z.infer<typeof clientMessage>;
export type GenerateMessage = Extract<ClientMessage, { action: 'generate' }>;

/** What the server sends. `id` is there if the client gave one. */
export type ServerMessage =
  | { type: 'token'; content: string; index: number; id?: string }
  | { type: 'reasoning'; content: string; index: number; id?: string }
  | {
      type: 'done';
      usage: ReturnType<typeof toUsage>;
      finish_reason: FinishReason;
      latency_ms: number;
      model: string;
      request_id: string;
      id?: string;
    }
  | { type: 'error'; error: ReturnType<typeof errorObject>; id?: string }
  | { type: 'pong' };

/** The id of a message that may have other faults, if it is fit to be repeated. */
export function idOf(sent: Record<string, unknown>): string | undefined {
  return givenId.safeParse(sent['id']).data;
}

/** Throws `invalid_request`; a field at fault is named. */
export function checkClientMessage(sent: Record<string, unknown>): ClientMessage {
  const result = clientMessage.safeParse(sent);
  if (!result.success) throw validationError(result.error.issues);
  return result.data;
}

export function errorMessage(error: AppError, requestId: string, id: string | undefined): ServerMessage {
  return { type: 'error', error: errorObject(error, requestId), ...(id !== undefined && { id }) };
}
