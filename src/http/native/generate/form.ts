import type { IncomingHttpHeaders } from 'node:http';
import type { AppError } from '../../../core/errors.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import { type Begun, sseFraming } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { type AnswerFacts, toGenerateRecords } from './from-core.ts';

/** How an answer is worded at a mount: as a body by `toBody`, as a stream as `/generate/stream` has it. */
export function nativeForm<Body>(
  { clock }: Pick<RouteDeps, 'clock'>,
  mount: NativeMount,
  headers: IncomingHttpHeaders,
  toBody: (answer: Answer, facts: AnswerFacts) => Body,
) {
  // The samples of two specifications meet at /api/v1: one reads until "[DONE]" and asks for nothing, the other asks for
  // an event stream and takes all that comes for JSON.
  const endsWithDone = mount.endsWithDone && headers.accept !== 'text/event-stream';
  return (begun: Begun) => {
    const facts = factsOf(begun);
    return {
      // A sample of the third seed specification parses each chunk of the body as one record.
      framing: { ...sseFraming(), isApart: true as const },
      toBody: (answer: Answer) => toBody(answer, facts),
      toRecords: (events: AsyncIterable<StreamEvent>) => toGenerateRecords(events, facts, { endsWithDone }),
      toErrorRecord: (error: AppError) => ({
        data: { ...mount.errorBody(error, { requestId: facts.requestId, now: clock.now() }), finished: true },
      }),
    };
  };
}

export function factsOf({ model, providerId, requestId, latencyMs, costNanoUsd }: Begun): AnswerFacts {
  return { model, provider: providerId, requestId, latencyMs, costNanoUsd };
}
