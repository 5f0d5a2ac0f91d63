import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { atOnce } from './hooks.ts';
import { type AnswerRecorder, createKeptAnswers } from './kept-answers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Sees the answer, which is to be given again to who repeats the request; left out: nobody will. */
    recorder?: AnswerRecorder;
  }
}

const headerName = 'Idempotency-Key';

/**
 * `Idempotency-Key` on requests that ask a model: who repeats a request with the same key gets the same answer, and no model is
 * asked again. The same key with another request is refused with `idempotency_key_reused`, and while the first is still
 * answered, with `idempotency_key_in_use`. What failed, or was broken off, may be tried again with its key. Batches keep their keys
 * themselves, over restarts too.
 */
export function addIdempotency(app: FastifyInstance, clock: Pick<Clock, 'monotonicMs'>): void {
  const kept = createKeptAnswers(clock);

  app.decorateRequest('recorder');
  app.addHook(
    'preValidation',
    atOnce((request, reply) => {
      const key = keyOf(request);
      if (key === null) return;
      const { principal, method, url, body, wish } = request;
      const repetition = kept.begin(principal.id, key, [method, url, wish, body]);
      switch (repetition.type) {
        case 'first':
          request.recorder = repetition.recorder;
          // Nothing, where the answer was whole.
          reply.raw.once('close', repetition.recorder.drop);
          return;
        case 'again': {
          const { status, headers, body: answer } = repetition.answer;
          reply.code(status).headers(headers).header('idempotent-replayed', 'true').send(answer);
          return;
        }
        case 'running':
          throw new AppError('idempotency_key_in_use', `The first request with this ${headerName} is still answered.`, {
            field: headerName,
            retryAfterSeconds: 1,
          });
        case 'other':
          throw new AppError('idempotency_key_reused', `This ${headerName} was given with another request.`, {
            field: headerName,
            fix: 'Give each request a key of its own.',
          });
      }
    }),
  );
  app.addHook('onSend', (request, reply, payload, done) => {
    if (request.recorder) recordWhole(request.recorder, reply, payload);
    done(null, payload);
  });
}

function recordWhole(recorder: AnswerRecorder, reply: FastifyReply, payload: unknown): void {
  if (typeof payload === 'string' || payload instanceof Uint8Array) {
    recorder.head(reply.statusCode, reply.getHeaders());
    recorder.piece(payload);
    recorder.whole();
  } else recorder.drop();
}

/** Null: the request has none, or its route asks no model. */
function keyOf(request: FastifyRequest): string | null {
  const { config } = request.routeOptions;
  const isAsked = config.scope === 'inference' && config.startsWork && !config.isWebSocket && !config.holdsRequests;
  return isAsked ? idempotencyKeyOf(request) : null;
}

/** The key that a request names; null: it names none. Throws `invalid_request`. */
export function idempotencyKeyOf({ headers }: Pick<FastifyRequest, 'headers'>): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new AppError('invalid_request', `"${headerName}" must be 1 to 255 characters without blanks.`, {
    field: headerName,
  });
}
