import type { ProviderConfig } from '../../config/providers.ts';
import type { CallContext } from '../../core/call.ts';
import type { ChatRequest, OriginalRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { ProviderEvent } from '../../core/events.ts';
import type { Provider } from '../../core/provider.ts';
import type { Logger } from '../../observe/logger.ts';
import { type UpstreamWatch, watchUpstream } from '../../wire/upstream.ts';
import { type BedrockClient, type ClientOptions, createBedrockClient } from './client.ts';
import { createTokenCounter } from './count.ts';
import { type FailureContext, toUpstreamError } from './errors.ts';
import { createConverseReader } from './from-wire.ts';
import { type ChosenModel, createModelBook, modelIdFor } from './model-book.ts';
import {
  answered,
  counted,
  invokeFields,
  isRelayable,
  nativeBody,
  relayJoined,
  relayMode,
  relayStream,
  relaysTo,
  relayWhole,
} from './relay.ts';
import { toWire } from './to-wire.ts';

/** Bedrock as a provider. */
export interface BedrockProvider extends Provider {
  /** Cheap, and generates nothing. Rejects with the `AppError` that a request would get now. */
  probe(signal: AbortSignal): Promise<void>;
  retire(): void;
  /** Ends every connection. */
  close(): void;
}

interface BedrockDeps extends Omit<ClientOptions, 'config'> {
  config: ProviderConfig;
  clock: Clock;
  log: Pick<Logger, 'info' | 'debug'>;
}

/**
 * Models on Amazon Bedrock. A request in Anthropic's dialect for a Claude passes as it came through InvokeModel; any other
 * is translated for ConverseStream.
 */
export function createBedrockProvider(deps: BedrockDeps): BedrockProvider {
  const { config, clock, log } = deps;
  const client = createBedrockClient(deps);
  const book = createModelBook(config);
  const counter = createTokenCounter({ client, config });
  const watch = (signal: AbortSignal) =>
    watchUpstream({ clock, timeouts: config.timeouts, signal, provider: config.id });
  const session: Session = { client, config, log, watch };

  let running = 0;
  let isRetired = false;
  const closeWhenDone = () => {
    if (isRetired && running === 0) client.close();
  };
  /** Holds the client open until it has ended. */
  const held = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    running++;
    try {
      return await call();
    } finally {
      running--;
      closeWhenDone();
    }
  };

  const none = (what: string) => async (): Promise<never> => {
    throw new AppError('not_supported', `${config.id} has no ${what}.`, { field: 'model' });
  };

  return {
    id: config.id,
    commitsAt: 'content',
    async *stream(request, { signal }) {
      signal.throwIfAborted();
      const model = book.choose(request.model);
      running++;
      try {
        for await (const event of answer(session, request, model, signal)) {
          // Several events come with one piece: an abort between two of them counts too.
          signal.throwIfAborted();
          yield event;
        }
      } finally {
        running--;
        closeWhenDone();
      }
    },
    embed: none('embeddings'),
    rank: none('reranking'),
    decide: none('log probabilities, from which decisions are read'),
    tokens: none('tokens'),
    async count(request, { signal }) {
      signal.throwIfAborted();
      const model = book.choose(request.model);
      const watched = watch(signal);
      try {
        const counting = held(() => counter.count(request, model, watched.signal));
        return { model: model.id, promptTokens: await watched.head(counting) };
      } finally {
        watched.close();
      }
    },
    relays(original, name) {
      const model = book.nameOf(name) === null ? null : book.choose(name);
      return model !== null && (relaysTo(original, model.row, answered) || relaysTo(original, model.row, counted));
    },
    models: async () => book.list(),
    nameOf: book.nameOf,
    capabilities: book.capabilities,
    status: () => ({ state: 'ready', reason: null }),
    async probe(signal) {
      const first = config.models.find(({ isDefault }) => isDefault) ?? config.models[0];
      const model = book.choose(first?.id ?? 'claude-haiku-4.5');
      const watched = watch(signal);
      try {
        await watched.head(held(() => counter.probe(model, watched.signal)));
      } finally {
        watched.close();
      }
    },
    retire() {
      isRetired = true;
      closeWhenDone();
    },
    close: client.close,
  };
}

/** What the answers of one provider share. */
interface Session {
  client: BedrockClient;
  config: ProviderConfig;
  log: BedrockDeps['log'];
  watch(signal: CallContext['signal']): UpstreamWatch;
}

async function* answer(
  session: Session,
  request: ChatRequest,
  model: ChosenModel,
  signal: AbortSignal,
): AsyncGenerator<ProviderEvent, void> {
  const { client, config } = session;
  const watched = session.watch(signal);
  const isRelayed = isRelayable(request, model.row, answered);
  if (!isRelayed && request.onlyRelayed) {
    throw new AppError('not_supported', `${config.id} cannot pass this request on as it is.`, { field: 'original' });
  }
  const failure: FailureContext = { provider: config.id, modelId: model.id, isRelayed };
  try {
    const { modelId, place } = modelIdFor(model, model.region ?? (await asked(watched, client.region(), failure)));
    const target: Target = { ...session, watched, failure, modelId, place, model: model.id };
    if (isRelayed) yield* relayed(target, request.original!, model);
    else yield* translated(target, request, model);
  } finally {
    watched.close();
  }
}

interface Target extends Session {
  watched: UpstreamWatch;
  failure: FailureContext;
  modelId: string;
  place: string;
  model: string;
}

async function* translated(
  target: Target,
  request: ChatRequest,
  chosen: ChosenModel,
): AsyncGenerator<ProviderEvent, void> {
  const { client, config, watched, failure, modelId, place, model } = target;
  const { row, maxOutputTokens } = chosen;
  const { input, toolNames, warnings } = toWire(request, { modelId, row, provider: config.id, maxOutputTokens });
  const { events, requestId } = await asked(watched, client.converseStream(input, watched.signal), failure);
  const { stop } = request;
  const reader = createConverseReader({ provider: config.id, model, requestId, toolNames, stop, place, warnings });
  for await (const event of watched.body(understood(events, failure))) {
    yield* reader.read(event);
    if (reader.isDone) return;
  }
  yield* reader.end();
}

async function* relayed(
  target: Target,
  original: OriginalRequest,
  { row }: ChosenModel,
): AsyncGenerator<ProviderEvent, void> {
  const { client, config, log, watched, failure, modelId, place, model } = target;
  const { bytes, warnings } = nativeBody(original, row, config.apiVersion);
  for (const { field, message } of warnings) log.info({ provider: config.id, model, field }, message);
  const input = { ...invokeFields(original), modelId, body: bytes };
  const mode = relayMode(original);
  if (mode === 'whole') {
    const { body, requestId } = await asked(watched, client.invoke(input, watched.signal), failure);
    yield* relayWhole(body, { provider: config.id, model, place, requestId });
    return;
  }
  const { events, requestId } = await asked(watched, client.invokeStream(input, watched.signal), failure);
  const chunks = watched.body(understood(events, failure));
  const relay = mode === 'stream' ? relayStream : relayJoined;
  yield* relay(chunks, { provider: config.id, model, place, requestId });
}

/** Waits for the head of an answer; failures are those of the catalogue. */
async function asked<Head>(watched: UpstreamWatch, head: Promise<Head>, failure: FailureContext): Promise<Head> {
  return watched.head(
    head.catch((error: unknown) => {
      throw toUpstreamError(error, failure);
    }),
  );
}

/** The events of a stream; exceptions among them are failures of the catalogue. */
async function* understood<Event>(events: AsyncIterable<Event>, failure: FailureContext): AsyncGenerator<Event, void> {
  try {
    yield* events;
  } catch (error) {
    throw toUpstreamError(error, failure);
  }
}
