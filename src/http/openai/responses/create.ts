import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallContext } from '../../../core/call.ts';
import type { ChatRequest } from '../../../core/chat.ts';
import { AppError, toAppError } from '../../../core/errors.ts';
import type { StreamEvent } from '../../../core/events.ts';
import {
  addIgnored,
  askerOf,
  type Begun,
  beginAnswer,
  clientGone,
  costText,
  nameAnswerer,
  type SseItem,
  sendStream,
  sseFraming,
  tellCost,
} from '../../answer/answer.ts';
import { clientField } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { logError } from '../../mount/error-handler.ts';
import type { ResponseAnswer } from './answer-schema.ts';
import type { Background, RunningResponse } from './background.ts';
import type { PlacedItem } from './conversation.ts';
import { createResponseWriter, type ResponseEvent, type ResponseWriter } from './from-core.ts';
import { newResponse } from './head.ts';
import { type Item, newResponseId } from './item.ts';
import { type KeptResponses, type StoredResponse, toStoredItems } from './kept-responses.ts';
import type { InputItem, PromptRequest, ResponseRequest } from './schema.ts';
import { createSealed, type Sealed } from './sealed.ts';
import { type AskedResponse, includesIn, refuseUnkept, responseToCore, toItems } from './to-core.ts';
import { streamTruncated } from './truncation.ts';

/** What the routes of responses share. */
export interface ResponseDeps extends RouteDeps {
  responses: KeptResponses;
  background: Background;
}

export const responseFraming = sseFraming();

export function toSseItem(event: ResponseEvent): SseItem {
  return { event: event.type, data: event };
}

/** The conversation that a body asks about: earlier responses, then its own input, references replaced. */
export async function conversationOf(
  { responses }: Pick<ResponseDeps, 'responses'>,
  owner: string,
  body: { previous_response_id?: string | null | undefined; input?: string | InputItem[] | null | undefined },
): Promise<{ items: PlacedItem[]; own: PlacedItem[] }> {
  const field = 'previous_response_id';
  const before = body.previous_response_id ? await responses.historyOf(owner, body.previous_response_id, field) : [];
  const own = await responses.resolve(owner, toItems(body.input ?? []), before);
  return { items: [...before.map((item) => ({ item, field })), ...own], own };
}

/** The door to answers that a body asks for: with `truncation`, conversations are cut where they do not fit. */
export function gatewayFor({ gateway }: Pick<RouteDeps, 'gateway'>, { truncation }: PromptRequest) {
  if (truncation !== 'auto') return gateway;
  return {
    ...gateway,
    stream: (chat: ChatRequest, context: CallContext) => streamTruncated(gateway.stream, chat, context),
  };
}

/** A response that was asked for and has not begun. */
interface Draft {
  asked: AskedResponse;
  writer: ResponseWriter;
  input: Item[];
  /** Told once it is known. */
  answeredBy(begun: Begun): void;
  /** What is kept of it now. */
  stored(): StoredResponse;
}

async function draft(deps: ResponseDeps, owner: string, body: ResponseRequest): Promise<Draft> {
  refuseUnkept(body);
  const sealed = createSealed(deps.seal, owner);
  const { items, own } = await conversationOf(deps, owner, body);
  const asked = responseToCore(body, items, sealed);
  const id = newResponseId();
  const nowMs = () => deps.clock.now().getTime();
  const input = toStoredItems(id, own);
  let begun = null as Begun | null;
  const writer = createResponseWriter(newResponse(body, { id, createdAtMs: nowMs() }), {
    kinds: asked.kinds,
    groups: asked.groups,
    isSummary: (body.reasoning?.summary ?? 'none') !== 'none',
    sealReasoning: sealerOf(body, sealed),
    providerId: () => begun?.providerId ?? '',
    nowMs,
  });
  return {
    asked,
    writer,
    input,
    answeredBy(answer) {
      begun = answer;
    },
    stored() {
      const cost = begun && costText(begun.providerId, begun.costNanoUsd());
      return { response: writer.response(), input, ...(cost !== null && { cost }) };
    },
  };
}

/** A response that is not kept is of use to the next turn only with its reasoning sealed, where that was asked for. */
function sealerOf(body: ResponseRequest, sealed: Sealed): Sealed['sealReasoning'] | null {
  return includesIn(body, 'reasoning.encrypted_content') ? sealed.sealReasoning : null;
}

/** Answers `POST /responses` as its body asks for: whole, as a stream, or with a response that is still to be made. */
export async function createResponse(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  reply: FastifyReply,
): Promise<ResponseAnswer | FastifyReply> {
  const made = await draft(deps, request.principal.id, request.body);
  addIgnored(reply, made.asked.ignored);
  return request.body.background
    ? createInBackground(deps, request, reply, made)
    : createNow(deps, request, reply, made);
}

async function beginDraft(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  { asked, answeredBy }: Draft,
  signal: AbortSignal,
): Promise<Begun> {
  const gateway = gatewayFor(deps, request.body);
  const asker = { ...askerOf(request, signal), names: asked.names };
  const begun = await beginAnswer({ ...deps, gateway }, asker, asked.chat);
  answeredBy(begun);
  return begun;
}

async function createInBackground(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  reply: FastifyReply,
  made: Draft,
): Promise<ResponseAnswer | FastifyReply> {
  if (request.body.store === false) {
    throw new AppError('invalid_request', '"background" needs "store", as the response is asked for later.', {
      field: 'background',
    });
  }
  const { writer, input } = made;
  const queued = writer.response();
  const running = await deps.background.start({
    owner: request.principal.id,
    input,
    writer,
    stored: made.stored,
    begin: (signal) => beginDraft(deps, request, made, signal),
  });
  return request.body.stream ? sendFollowed(deps, reply, running, -1) : queued;
}

/** Sends the events of a response in the background, those to come too. The client's leaving ends nothing but this. */
export function sendFollowed(
  deps: RouteDeps,
  reply: FastifyReply,
  running: RunningResponse,
  after: number,
): FastifyReply {
  const gone = clientGone(reply);
  async function* records(): AsyncGenerator<SseItem> {
    for await (const event of running.follow(after, gone.signal)) yield toSseItem(event);
  }
  return sendStream(reply, records(), { framing: responseFraming, gone, clock: deps.clock, log: deps.log });
}

async function createNow(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  reply: FastifyReply,
  made: Draft,
): Promise<ResponseAnswer | FastifyReply> {
  const { writer } = made;
  const gone = clientGone(reply);
  const begun = await beginDraft(deps, request, made, gone.signal);
  nameAnswerer(reply, begun);
  const first = await firstOf(begun);
  nameWarnings(first, reply, made.asked);
  const keep = () => keepEnded(deps, request, made);
  if (!request.body.stream) {
    try {
      writer.write(first);
      for await (const event of begun.events) writer.write(event);
      assertEnded(writer);
    } catch (thrown) {
      throw begun.fail(thrown);
    }
    tellCost(reply, begun.providerId, begun.costNanoUsd());
    const isKept = await keep();
    const response = writer.response();
    return isKept ? response : { ...response, store: false };
  }
  async function* records(): AsyncGenerator<SseItem> {
    yield* writer.write(first).map(toSseItem);
    for await (const event of begun.events) {
      const written = writer.write(event);
      // Whoever hears that it is complete may go on from it at once, and at another replica.
      const isKept = !writer.hasEnded() || (await keep());
      yield* (isKept ? written : written.map(asNotKept)).map(toSseItem);
    }
    assertEnded(writer);
  }
  return sendStream(reply, records(), {
    framing: responseFraming,
    gone,
    clock: deps.clock,
    log: deps.log,
    onFailure: (thrown) => {
      const error = begun.fail(thrown);
      logError(deps.log, error, request.id);
      const last = writer.fail(error);
      if (!gone.signal.aborted) void keep();
      if (last.length === 0) throw error;
      return last.map(toSseItem);
    },
  });
}

async function firstOf(begun: Begun): Promise<StreamEvent> {
  const { done, value } = await begun.events.next();
  if (done) throw begun.fail(new Error('the event stream ended without a finish event'));
  return value;
}

/** Names, before the status line, what the provider does not honour: its start tells, and is there already. */
function nameWarnings(first: StreamEvent, reply: FastifyReply, { names }: AskedResponse): void {
  if (first.type !== 'start') return;
  const fields = first.warnings.flatMap(({ field }) => (field === null ? [] : [clientField(field, names)]));
  addIgnored(reply, fields);
}

function assertEnded(writer: ResponseWriter): void {
  if (!writer.hasEnded()) throw new Error('the event stream ended without a finish event');
}

/** What its client should know of a response that was to be kept: nobody can go on from it. */
function asNotKept(event: ResponseEvent): ResponseEvent {
  const { response } = event;
  return typeof response === 'object' && response !== null
    ? { ...event, response: { ...response, store: false } }
    : event;
}

/**
 * Keeps a response that has ended, where that is wanted. Its client gets it all the same: where it cannot be kept, the log says
 * why, and false is returned.
 */
async function keepEnded(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  made: Draft,
): Promise<boolean> {
  if (request.body.store === false) return true;
  try {
    await deps.responses.save(request.principal.id, made.stored(), null);
    return true;
  } catch (error) {
    logError(deps.log, toAppError(error), request.id);
    return false;
  }
}
