import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallContext } from '../../core/call.ts';
import { type AppError, toAppError } from '../../core/errors.ts';
import { foldEvents } from '../../core/events.ts';
import type { RelayedAnswer } from '../../gateway/gateway.ts';
import { clientField, type FieldNames, inDialect } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { logError, passedOn } from '../mount/error-handler.ts';
import type { AnswerForm, Asked } from './asked.ts';
import { type Asker, type Begun, contextOf } from './begin.ts';
import { tellCost } from './cost.ts';
import { addIgnored, dropIgnored } from './ignored.ts';
import { sendRelayed, sendRelayedWhole, sendWhole } from './relay.ts';
import { clientGone, sendStream } from './reply.ts';
import { beginAnswers } from './several.ts';

export { type Asker, type Begun, beginAnswer, contextOf } from './begin.ts';
export { costField, costText, tellCost, tellCostText, toCost } from './cost.ts';
export { ndjsonFraming, type SseItem, sseFraming } from './framing.ts';
export { addIgnored, namesIgnored } from './ignored.ts';
export { askedAsItCame, relaysOriginals, withOriginal } from './relay.ts';
export { clientGone, sendStream } from './reply.ts';

/** Answers an HTTP request as its body asks for: by one body, or by a stream. */
export function respond<Body, Item>(
  deps: RouteDeps,
  request: FastifyRequest<{ Body: { stream?: boolean | null | undefined } }>,
  reply: FastifyReply,
  asked: Asked<Body, Item>,
): Promise<Body | FastifyReply> {
  return request.body.stream ? respondStream(deps, request, reply, asked) : respondWhole(deps, request, reply, asked);
}

/**
 * Answers an HTTP request by one body. The headers tell who answers; the client's going away ends the work. Rejects with
 * whatever failed, in the names of the dialect, and keeps its true status so.
 */
async function respondWhole<Body, Item>(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Asked<Body, Item>,
): Promise<Body | FastifyReply> {
  const begun = await begin(deps, request, asked, clientGone(reply));
  tellOf(reply, begun, asked.names);
  await asked.onBegun?.(begun);
  if (begun.relay !== null)
    return sendRelayedWhole(reply, begun, () => tellCost(reply, begun.providerId, begun.costNanoUsd()));
  const answer = await foldEvents(begun.events, begun.providerId).catch((error: unknown) => {
    throw begun.fail(error);
  });
  tellCost(reply, begun.providerId, begun.costNanoUsd());
  return asked.formOf(begun).toBody(answer);
}

/**
 * As `respondWhole`, by a stream. A failure before the first event rejects and keeps its true status; one after it is
 * logged and becomes the last record.
 */
export async function respondStream<Body, Item>(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Asked<Body, Item>,
): Promise<FastifyReply> {
  const { early } = asked;
  const gone = clientGone(reply);
  const beginning = begin(deps, request, asked, gone);
  const begun = early ? await firstOf(beginning, deps.clock, early.afterMs) : await beginning;
  if (begun !== null) {
    tellOf(reply, begun, asked.names);
    await asked.onBegun?.(begun);
  }
  const onFailure = (thrown: unknown): AppError => {
    const error = inDialect(toAppError(thrown), asked.names);
    logError(deps.log, error, request.id);
    return error;
  };
  if (begun?.relay) {
    return sendRelayedStream(deps, request, reply, begun.relay, { gone, onFailure, form: asked.formOf(begun) });
  }
  const form = begun === null ? early!.form : asked.formOf(begun);
  const records = begun === null ? recordsAfter(early!.records(), beginning, form) : form.toRecords(begun.events);
  return sendStream(reply, records, {
    framing: form.framing,
    gone,
    clock: deps.clock,
    log: deps.log,
    onFailure: (thrown) => [form.toErrorRecord(onFailure(thrown))],
  });
}

type RelayedForm<Item> = Pick<AnswerForm<never, Item>, 'framing' | 'toErrorRecord'>;

function sendRelayedStream<Item>(
  deps: Pick<RouteDeps, 'clock' | 'log'>,
  request: FastifyRequest,
  reply: FastifyReply,
  relay: RelayedAnswer,
  options: { gone: AbortController; onFailure: (thrown: unknown) => AppError; form: RelayedForm<Item> },
): FastifyReply {
  const { gone, onFailure, form } = options;
  const { framing, toErrorRecord } = form;
  const lastOf = (thrown: unknown, sent: string | Uint8Array) => {
    const error = onFailure(thrown);
    const passed = passedOn(error, request);
    if (passed?.record !== undefined) return passed.record;
    const record = toErrorRecord(error, sent);
    return framing.frame(passed ? { ...record, data: passed.body } : record);
  };
  return sendRelayed(reply, relay, { ping: framing.ping, lastOf, gone, clock: deps.clock, log: deps.log });
}

/** Sends what a provider says of something that it keeps: as a stream where it is one, else once all of it is there. */
export async function sendPassed<Item>(
  deps: Pick<RouteDeps, 'clock' | 'log'>,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: RelayedAnswer,
  { gone, form }: { gone: AbortController; form: RelayedForm<Item> },
): Promise<FastifyReply> {
  const onFailure = (thrown: unknown): AppError => {
    const error = toAppError(thrown);
    logError(deps.log, error, request.id);
    return error;
  };
  if (answer.headers['content-type']?.startsWith('text/event-stream')) {
    return sendRelayedStream(deps, request, reply, answer, { gone, onFailure, form });
  }
  return sendWhole(reply, answer);
}

function begin<Body, Item>(
  deps: RouteDeps,
  request: FastifyRequest,
  { chats, names }: Asked<Body, Item>,
  { signal }: AbortController,
): Promise<Begun> {
  const asker = { ...askerOf(request, signal), names };
  if (typeof chats !== 'function') return beginAnswers(deps, asker, chats);
  return chats(contextOf(deps, asker)).then(
    (known) => beginAnswers(deps, asker, known),
    (error: unknown) => {
      throw inDialect(toAppError(error), names);
    },
  );
}

/** Tells in headers who answers, and what of the request whoever answers does not do. */
function tellOf(reply: FastifyReply, begun: Begun, names: FieldNames): void {
  nameAnswerer(reply, begun);
  // What passes as it came is not ours to ignore.
  if (begun.relay !== null) return void dropIgnored(reply);
  addIgnored(
    reply,
    begun.warnings.flatMap(({ field }) => (field === null ? [] : [clientField(field, names)])),
  );
}

/** What comes of it if it comes in time, or null. Rejects as it does. */
function firstOf<Result>(coming: Promise<Result>, clock: RouteDeps['clock'], afterMs: number): Promise<Result | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = clock.after(afterMs, () => resolve(null));
  return Promise.race([coming, late]).finally(timer.cancel);
}

/** Records that need no answer, then those of the answer. Throws as either does. */
async function* recordsAfter<Body, Item>(
  first: readonly Item[],
  beginning: Promise<Begun>,
  form: AnswerForm<Body, Item>,
): AsyncGenerator<Item> {
  // Whatever fails while the first are sent is thrown below.
  beginning.catch(() => {});
  yield* first;
  const { events } = await beginning;
  yield* form.toRecords(events);
}

/**
 * Asks for an answer that always comes whole, such as vectors, until the client leaves; the headers tell who answers.
 * Rejects with what `ask` throws, in the names of the dialect.
 */
export async function askWhole<Result extends { providerId: string; model: string; costNanoUsd?: bigint | null }>(
  deps: Pick<RouteDeps, 'routing' | 'clock'>,
  request: FastifyRequest,
  reply: FastifyReply,
  names: FieldNames,
  ask: (context: CallContext) => Promise<Result>,
): Promise<Result> {
  const { signal } = clientGone(reply);
  try {
    const result = await ask(contextOf(deps, askerOf(request, signal)));
    nameAnswerer(reply, result);
    tellCost(reply, result.providerId, result.costNanoUsd ?? null);
    return result;
  } catch (error) {
    throw inDialect(toAppError(error), names);
  }
}

/** Who asks by an HTTP request or what opened a socket, until `signal` aborts. */
export function askerOf(
  { id: requestId, principal, wish, inner }: Pick<FastifyRequest, 'id' | 'principal' | 'wish' | 'inner'>,
  signal: AbortSignal,
): Omit<Asker, 'names'> {
  const asker = { requestId, principal, signal, ...wish };
  if (inner === undefined) return asker;
  // It waits as long as it has to: nobody looks on.
  const { batched } = inner;
  const patient = { deadlineInMs: Number.POSITIVE_INFINITY, isBackground: true, ...(batched && { batched }) };
  return { ...asker, ...patient, signal: AbortSignal.any([signal, inner.signal]) };
}

/** Tells, in headers, who answers. */
export function nameAnswerer(reply: FastifyReply, { providerId, model }: { providerId: string; model: string }): void {
  reply.header('x-provider-used', providerId).header('x-model-used', headerText(model));
}

/** Tells in a header that a count is an estimate. `field`: that of the answer. */
export function tellEstimated(
  reply: FastifyReply,
  { isEstimated = false }: { isEstimated?: boolean },
  field: string,
): void {
  if (isEstimated) reply.header('x-hearth-estimated', field);
}

/** A text as a header can hold it: a file may give its model a name in any letters, and those beyond ASCII are percent-encoded. */
function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}
