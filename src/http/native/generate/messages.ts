import { z } from 'zod';
import { coarseReason, type FinishReason, type StreamEvent } from '../../../core/events.ts';
import type { Usage } from '../../../core/usage.ts';
import { validationError } from '../../fields/validation.ts';
import { toUsage } from './from-core.ts';
import { generateFields } from './schema.ts';

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
type ClientMessage = z.infer<typeof clientMessage>;
export type GenerateMessage = Extract<ClientMessage, { action: 'generate' }>;

/** What the server sends beside errors. `id` is there if the client gave one. */
export type ServerMessage =
  | { type: 'token'; content: string; index: number; id?: string }
  | { type: 'reasoning'; content: string; index: number; id?: string }
  | {
      type: 'done';
      usage: ReturnType<typeof toUsage>;
      finish_reason: ReturnType<typeof coarseReason>;
      latency_ms: number;
      model: string;
      request_id: string;
      id?: string;
    }
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

/** Words the pieces of one generation, counted from 0; null for events that the client is not told of. */
export function createTokenWriter(id: string | undefined): (event: StreamEvent) => ServerMessage | null {
  let index = 0;
  return (event) => {
    if (event.type !== 'text-delta' && event.type !== 'reasoning-delta') return null;
    if (event.text === '') return null;
    const type = event.type === 'text-delta' ? 'token' : 'reasoning';
    return { type, content: event.text, index: index++, ...idPart(id) };
  };
}

/** The last message of a generation that ended as it should, or was cancelled. */
export function doneMessage(
  done: {
    usage: Usage;
    reason: FinishReason;
    latencyMs: number;
    model: string;
    requestId: string;
    /** USD; null: unknown. Left out: nobody answered. */
    cost?: number | null;
  },
  id: string | undefined,
): ServerMessage {
  return {
    type: 'done',
    usage: toUsage(done.usage),
    finish_reason: coarseReason(done.reason),
    latency_ms: Math.round(done.latencyMs),
    model: done.model,
    ...(done.cost !== undefined && { cost: done.cost }),
    request_id: done.requestId,
    ...idPart(id),
  };
}

function idPart(id: string | undefined): { id?: string } {
  return id === undefined ? {} : { id };
}
