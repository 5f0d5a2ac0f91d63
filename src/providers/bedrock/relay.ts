import type { InvokeModelCommandInput, ResponseStream } from '@aws-sdk/client-bedrock-runtime';
import type { ChatRequest, OriginalRequest } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { ProviderEvent, Warning } from '../../core/events.ts';
import { removeKeys, replaceValues } from '../../wire/json-text.ts';
import { sseRecord } from '../../wire/sse.ts';
import { brokenAnswer } from '../messages/broken-answer.ts';
import { eventsOfMessage } from '../messages/from-wire.ts';
import { createMessageJoiner } from '../messages/join.ts';
import { isObject, type JsonObject } from '../messages/json.ts';
import { betasOf } from './betas.ts';
import type { CapabilityRow } from './capability-table.ts';
import { createMessagesReader } from './messages-reader.ts';

/** The version of the API that clients of before 2026 mean, in Bedrock's word for it. */
const firstVersion = 'bedrock-2023-05-31';

/**
 * More tokens than these are streamed and joined for a client that wants its answer whole: else nothing would come for
 * minutes, and silence would not tell a slow answer from a dead one.
 */
const mostUnstreamedTokens = 1024;

/** Made once: one for each chunk would cost more than the chunk. They keep nothing between two calls. */
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Paths of Claude's own dialect that Bedrock answers, and those for which it counts. */
export const answered = ['/v1/messages'] as const;
export const counted = ['/v1/messages', '/v1/messages/count_tokens'] as const;

/** Whether what came so can pass as it came: it is Claude's own dialect, for a Claude. */
export function relaysTo(
  { dialect, path }: Pick<OriginalRequest, 'dialect' | 'path'>,
  row: CapabilityRow,
  paths: readonly string[],
): boolean {
  return dialect === 'anthropic' && row.nativeMessages && paths.includes(path);
}

/** The same of a request. */
export function isRelayable(
  request: ChatRequest,
  row: CapabilityRow,
  paths: readonly string[],
): request is ChatRequest & { original: OriginalRequest } {
  return request.original !== undefined && relaysTo(request.original, row, paths);
}

/**
 * The body as Bedrock takes it: what Anthropic has in headers and Bedrock in the body is put there, the model and `stream`,
 * which are Bedrock's path, are taken out. Every other byte stays. `apiVersion`: where the client names none.
 */
export function nativeBody(
  { bytes, body, headers }: OriginalRequest,
  row: CapabilityRow,
  apiVersion: string | null,
  more: Readonly<Record<string, unknown>> = {},
): { bytes: Uint8Array; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const named = Array.isArray(body['anthropic_beta']) ? body['anthropic_beta'] : [];
  const betas = betasOf(headers['anthropic-beta'], named, row, (field, message) => warnings.push({ field, message }));
  const version = headers['anthropic-version'] ?? apiVersion ?? firstVersion;
  const profile = headers['anthropic-user-profile-id'];
  const added = {
    ...(body['anthropic_version'] === undefined && {
      anthropic_version: version === '2023-06-01' ? firstVersion : version,
    }),
    ...(betas.length > 0 && { anthropic_beta: betas }),
    ...(profile !== undefined && body['user_profile_id'] === undefined && { user_profile_id: profile }),
    ...Object.fromEntries(Object.entries(more).filter(([name]) => body[name] === undefined)),
  };
  const taken = ['model', 'stream', ...(betas.length === 0 ? ['anthropic_beta'] : [])];
  const text = removeKeys(decoder.decode(bytes), taken);
  return { bytes: encoder.encode(replaceValues(text, added)), warnings };
}

/** What goes beside the body, from headers that Bedrock's own clients send. */
export function invokeFields({ headers }: OriginalRequest): Omit<InvokeModelCommandInput, 'modelId' | 'body'> {
  const guardrailIdentifier = headers['x-amzn-bedrock-guardrailidentifier'];
  const guardrailVersion = headers['x-amzn-bedrock-guardrailversion'];
  return {
    contentType: 'application/json',
    accept: 'application/json',
    ...(guardrailIdentifier !== undefined && { guardrailIdentifier }),
    ...(guardrailVersion !== undefined && { guardrailVersion }),
  };
}

/** How an answer comes upstream, and how the client gets it. */
export function relayMode({ body }: OriginalRequest): 'stream' | 'whole' | 'joined' {
  if (body['stream'] === true) return 'stream';
  const maxTokens = body['max_tokens'];
  return typeof maxTokens === 'number' && maxTokens > mostUnstreamedTokens ? 'joined' : 'whole';
}

/** What the answer's events need to be understood. */
export interface RelayDeps {
  provider: string;
  model: string;
  place: string | null;
  requestId: string | null;
}

/** A stream as Anthropic would have sent it, each event's bytes before what is understood of them. */
export async function* relayStream(
  chunks: AsyncIterable<ResponseStream>,
  deps: RelayDeps,
): AsyncGenerator<ProviderEvent, void> {
  const reader = createMessagesReader(deps);
  let hasHead = false;
  for await (const { event, text } of payloads(chunks, deps.provider)) {
    // Read before it is passed on: an error event is a failure, which may still be another provider's chance.
    const understood = reader.read(event);
    if (!hasHead) yield headOf('text/event-stream; charset=utf-8', deps);
    hasHead = true;
    yield { type: 'relay', bytes: encoder.encode(sseRecord(text, String(event['type']))) };
    yield* understood;
    if (reader.isDone) return;
  }
  // Its client waits for the last word, whatever was said before that.
  throw brokenAnswer(deps.provider, 'ended in the middle of its answer');
}

/** A stream as the whole message that the client wants. */
export async function* relayJoined(
  chunks: AsyncIterable<ResponseStream>,
  deps: RelayDeps,
): AsyncGenerator<ProviderEvent, void> {
  const reader = createMessagesReader(deps);
  const joiner = createMessageJoiner();
  const understood: ProviderEvent[] = [];
  for await (const { event } of payloads(chunks, deps.provider)) {
    understood.push(...reader.read(event));
    joiner.push(event);
    if (reader.isDone) break;
  }
  understood.push(...reader.end());
  yield headOf('application/json', deps);
  yield { type: 'relay', bytes: encoder.encode(JSON.stringify(joiner.message())) };
  yield* understood;
}

/** A whole message, byte for byte. */
export function* relayWhole(bytes: Uint8Array, deps: RelayDeps): Generator<ProviderEvent, void> {
  const message = parsed(decoder.decode(bytes), deps.provider);
  if (message['type'] === 'error') createMessagesReader(deps).read(message);
  yield headOf('application/json', deps);
  yield { type: 'relay', bytes };
  const reader = createMessagesReader(deps);
  for (const event of eventsOfMessage(message)) yield* reader.read(event);
}

function headOf(contentType: string, { requestId }: RelayDeps): ProviderEvent {
  const id = requestId === null ? {} : { 'request-id': requestId };
  return { type: 'relay-head', status: 200, headers: { 'content-type': contentType, ...id } };
}

/** The events within the chunks. Keep-alives of gateways have no type, and no name to be sent under. */
async function* payloads(
  chunks: AsyncIterable<ResponseStream>,
  provider: string,
): AsyncGenerator<{ event: JsonObject; text: string }, void> {
  for await (const { chunk } of chunks) {
    if (!chunk?.bytes) continue;
    const text = decoder.decode(chunk.bytes);
    const event = parsed(text, provider);
    if (typeof event['type'] === 'string') yield { event, text };
  }
}

function parsed(text: string, provider: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below: broken JSON and JSON of the wrong kind are one failure.
  }
  throw new AppError(
    'upstream_unavailable',
    `${provider} sent something that is no event: ${JSON.stringify(text.slice(0, 200))}.`,
    {
      details: { provider },
    },
  );
}
