import type { FastifyReply, FastifyRequest } from 'fastify';
import { abortable } from '../../core/abortable.ts';
import type { CallContext } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import { type AppError, toAppError } from '../../core/errors.ts';
import { type Answer, foldEvents, type StreamEvent } from '../../core/events.ts';
import { clientField, type FieldNames, inDialect } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { logError } from '../mount/error-handler.ts';
import { type Asker, type Begun, contextOf } from './begin.ts';
import type { Framing } from './framing.ts';
import { addIgnored } from './ignored.ts';
import { clientGone, sendStream } from './reply.ts';
import { routingOf } from './routing.ts';
import { beginAnswers } from './several.ts';

export { type Asker, type Begun, beginAnswer } from './begin.ts';
export { ndjsonFraming, type SseItem, sseFraming } from './framing.ts';
export { addIgnored, namesIgnored } from './ignored.ts';
export { clientGone, sendStream } from './reply.ts';

/** How a dialect words the answer to one request; none of it needs to know how a request may end. */
interface AnswerForm<Body, Item> {
  toBody(answer: Answer): Body;
  framing: Framing<Item>;
  /** Throws what `events` throw. */
  toRecords(events: AsyncIterable<StreamEvent>): AsyncIterable<Item>;
  /** The last record of an answer that failed after the status line. */
  toErrorRecord(error: AppError): Item;
}

/** What an HTTP request asks for. */
interface Asked<Body, Item> {
  /**
   * Several prompts become one answer: the choices of the first come first. A function where something has to be asked
   * before they are known; it may throw.
   */
  chats: Chats | ((context: CallContext) => Promise<Chats>);
  names: FieldNames;
  /** Called once the answer has begun. */
  formOf(begun: Begun): AnswerForm<Body, Item>;
  /** For clients that do not wait long for a first record; left out: a stream begins with its answer. */
  early?: EarlyStart<Body, Item>;
}

type Chats = readonly [ChatRequest, ...ChatRequest[]];

/** A stream whose answer has not begun after so long begins without it: a failure is in its last record then. */
interface EarlyStart<Body, Item> {
  afterMs: number;
  /** What it begins with. */
  records(): readonly Item[];
  /** Words the answer behind them. */
  form: AnswerForm<Body, Item>;
}

/** Answers an HTTP request as its body asks for: by one body, or by a stream. */
export async function respond<Body, Item>(
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
): Promise<Body> {
  const begun = await begin(deps, request, asked, clientGone(reply));
  tellOf(reply, begun, asked.names);
  const answer = await foldEvents(begun.events, begun.providerId).catch((error: unknown) => {
    throw begun.fail(error);
  });
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
  if (begun !== null) tellOf(reply, begun, asked.names);
  const form = begun === null ? early!.form : asked.formOf(begun);
  const records = begun === null ? recordsAfter(early!.records(), beginning, form) : form.toRecords(begun.events);
  return sendStream(reply, records, {
    framing: form.framing,
    gone,
    clock: deps.clock,
    log: deps.log,
    onFailure: (thrown) => {
      const error = inDialect(toAppError(thrown), asked.names);
      logError(deps.log, error, request.id);
      return form.toErrorRecord(error);
    },
  });
}

async function begin<Body, Item>(
  deps: RouteDeps,
  request: FastifyRequest,
  { chats, names }: Asked<Body, Item>,
  { signal }: AbortController,
): Promise<Begun> {
  const asker = { ...askerOf(request, signal), names };
  if (typeof chats !== 'function') return beginAnswers(deps, asker, chats);
  const known = await chats(contextOf(deps, asker)).catch((error: unknown) => {
    throw inDialect(toAppError(error), names);
  });
  return beginAnswers(deps, asker, known);
}

/** Tells in headers who answers, and what of the request whoever answers does not do. */
function tellOf(reply: FastifyReply, begun: Begun, names: FieldNames): void {
  nameAnswerer(reply, begun);
  addIgnored(
    reply,
    begun.warnings.flatMap(({ field }) => (field === null ? [] : [clientField(field, names)])),
  );
}

/** What comes of it if it comes in time, or null. Rejects as it does. */
async function firstOf<Result>(coming: Promise<Result>, clock: RouteDeps['clock'], afterMs: number) {
  const inTime = new AbortController();
  const late = abortable<null>(inTime.signal, (resolve) => clock.after(afterMs, () => resolve(null)).cancel);
  // The timer ends with the wait.
  late.catch(() => {});
  try {
    return await Promise.race([coming, late]);
  } finally {
    inTime.abort();
  }
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
export async function askWhole<Result extends { providerId: string; model: string }>(
  deps: Pick<RouteDeps, 'routing'>,
  request: FastifyRequest,
  reply: FastifyReply,
  names: FieldNames,
  ask: (context: CallContext) => Promise<Result>,
): Promise<Result> {
  const { signal } = clientGone(reply);
  try {
    const result = await ask(contextOf(deps, askerOf(request, signal)));
    nameAnswerer(reply, result);
    return result;
  } catch (error) {
    throw inDialect(toAppError(error), names);
  }
}

/** Who asks by an HTTP request, until `signal` aborts. */
export function askerOf(request: FastifyRequest, signal: AbortSignal): Omit<Asker, 'names'> {
  return { requestId: request.id, principal: request.principal, signal, routing: routingOf(request.headers) };
}

/** Tells, in headers, who answers. */
export function nameAnswerer(reply: FastifyReply, { providerId, model }: { providerId: string; model: string }): void {
  reply.header('x-provider-used', providerId).header('x-model-used', headerText(model));
}

/** A text as a header can hold it: a file may give its model a name in any letters, and those beyond ASCII are percent-encoded. */
function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x20-\x7e]/gu, encodeURIComponent);
}
