import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import type { AppError } from '../../../core/errors.ts';
import { type Begun, type SseItem, sseFraming } from '../../answer/answer.ts';
import type { CommonValues } from './common-fields.ts';
import { errorObject } from './errors.ts';
import type { AnswerHead, StreamOptions } from './records.ts';

/** What the streams of all endpoints have in common. A failed one has no `[DONE]`. */
export const streamForm = {
  framing: sseFraming(),
  toErrorRecord: (error: AppError): SseItem => ({ data: { error: errorObject(error) } }),
};

/** The head of a new answer; `prefix` is that of its id, `more` what an endpoint adds. */
export function newHead(
  prefix: 'chatcmpl' | 'cmpl',
  { model, fingerprint }: Pick<Begun, 'model' | 'fingerprint'>,
  clock: Clock,
  more: Pick<AnswerHead, 'service_tier'> = {},
): AnswerHead {
  return {
    id: `${prefix}-${randomBytes(12).toString('hex')}`,
    created: Math.floor(clock.now().getTime() / 1000),
    model,
    ...more,
    ...(fingerprint !== null && { system_fingerprint: fingerprint }),
  };
}

/** What a body says of its stream; null and absent are one. */
export function toStreamOptions(body: CommonValues, clock: Clock): StreamOptions {
  return {
    choices: body.n ?? 1,
    includeUsage: body.stream_options?.include_usage ?? false,
    progressClock: body.return_progress ? () => clock.monotonicMs() : null,
  };
}
