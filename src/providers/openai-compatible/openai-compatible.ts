import type { ProviderConfig } from '../../config/providers.ts';
import type { CallContext } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import type { ProviderEvent, Warning } from '../../core/events.ts';
import type { Provider } from '../../core/provider.ts';
import type { ProviderBatches } from '../../core/provider-batch.ts';
import { answerEvents, type OpenAnswer } from '../../wire/answer-events.ts';
import { readingOf } from './answer.ts';
import { createFileBatches, openedAnswer } from './batches.ts';
import { type ClientAnswer, createServiceClient } from './client.ts';
import { decideByLogprobs } from './decide-by-logprobs.ts';
import { decideOverWire } from './decisions.ts';
import { type AskJson, broken, embedOverWire, rankOverWire, unsupported } from './embeddings.ts';
import { createCompletionReader } from './from-wire.ts';
import { askKept } from './kept.ts';
import { type ChosenModel, createModelBook } from './models.ts';
import { services } from './presets.ts';
import { relayPlan, relays, type SentRequest } from './relay.ts';
import { createCallSignatures } from './signatures.ts';
import { toWire, type WireRequest } from './to-wire.ts';
import { countOverWire, tokensOverWire } from './tokens.ts';
import type { Json } from './wire.ts';

/**
 * A service that speaks OpenAI's dialect: a cloud, or another machine's vLLM, llama-server, Ollama or Hearth. A request in
 * that dialect passes as it came, any other is translated. `config.baseUrl` may be null only where the preset has one.
 */
export function createOpenAiCompatibleProvider(deps: {
  config: ProviderConfig;
  clock: Clock;
  /** Id of this process. */
  instance?: string;
}): Provider {
  const { config } = deps;
  const service = services[config.preset ?? 'custom'];
  const baseUrl = config.baseUrl ?? service.baseUrl;
  if (baseUrl === null) throw new Error(`the provider ${config.id} has no base_url`);
  const client = createServiceClient({ ...deps, baseUrl });
  const book = createModelBook(config, service);
  const signatures = createCallSignatures();

  const askAs =
    (model: ChosenModel, { signal, hops }: CallContext): AskJson =>
    (path, body) =>
      client.json({
        method: 'post',
        path,
        body: encoded(body),
        isConfigured: model.isConfigured,
        signal,
        hops,
        comesWhole: true,
      });
  const unary = (name: string, context: CallContext) => {
    context.signal.throwIfAborted();
    const model = book.choose(name);
    return { provider: config.id, row: model.row, model: model.id, ask: askAs(model, context) };
  };
  const wireOf = (request: ChatRequest, { id, row, maxOutputTokens }: ChosenModel): WireRequest =>
    toWire(request, { provider: config.id, row, model: id, maxOutputTokens, signatures });
  const translated = (request: ChatRequest, model: ChosenModel): SentRequest => {
    const { path, body, warnings } = wireOf(request, model);
    return {
      path,
      body: encoded(body),
      headers: {},
      comesWhole: false,
      warnings,
      choices: request.choices ?? 1,
      passing: { isRelayed: false, passed: (record) => record },
      createReader: createCompletionReader,
    };
  };

  /** A request as it goes out. */
  const planned = (request: ChatRequest) => {
    const model = book.choose(request.model);
    const plan = relayPlan(request, model);
    if (!plan && request.onlyRelayed) {
      throw unsupported('original', `${config.id} does not have this endpoint of the dialect, or not the dialect.`);
    }
    return { model, wire: plan ?? translated(request, model) };
  };
  /** How its answer is read. */
  const opened = (
    sent: ClientAnswer,
    { model, wire }: { model: ChosenModel; wire: SentRequest },
  ): OpenAnswer<ProviderEvent> => {
    const failure = { provider: config.id, isConfigured: model.isConfigured };
    const reader = wire.createReader({
      ...failure,
      row: model.row,
      model: model.id,
      signatures,
      warnings: [...wire.warnings, ...ignoredBy(sent, config.id)],
      choices: wire.choices,
    });
    return { ...sent, reading: readingOf(sent, reader, wire.passing, failure) };
  };

  const stream = (request: ChatRequest, { signal, hops }: CallContext) =>
    answerEvents({ clock: deps.clock, signal }, async () => {
      const { model, wire } = planned(request);
      const { isConfigured } = model;
      return opened(await client.send({ method: 'post', isConfigured, signal, hops, ...wire }), { model, wire });
    });

  const batches: ProviderBatches = {
    ...createFileBatches({ provider: config.id, client }),
    word(request, { hops = [] }) {
      const { model, wire } = planned(request);
      const path = `/v1${wire.path}`;
      const { stream: _stream, stream_options: _options, ...body } = JSON.parse(decoded(wire.body)) as Json;
      // One batch has one endpoint, and one model.
      const group = JSON.stringify([path, model.id, wire.headers, hops]);
      return { group, path, headers: wire.headers, hops, body: JSON.stringify(body) };
    },
    read(request, answer) {
      const { model, wire } = planned(request);
      const sent = openedAnswer(answer, { provider: config.id, isConfigured: model.isConfigured });
      const { signal } = new AbortController();
      return answerEvents({ clock: deps.clock, signal }, async () => opened(sent, { model, wire }));
    },
  };

  return {
    id: config.id,
    baseUrl,
    commitsAt: 'content',
    stream,
    embed: async (request, context) => embedOverWire(request, unary(request.model, context)),
    rank: async (request, context) => rankOverWire(request, unary(request.model, context)),
    async decide(request, context) {
      context.signal.throwIfAborted();
      const model = book.choose(request.model);
      const ask = askAs(model, context);
      if (model.row.endpoints.decisions)
        return decideOverWire(request, { provider: config.id, row: model.row, model: model.id, ask });
      return decideByLogprobs(request, { provider: config.id, model, toWire: (one) => wireOf(one, model), ask });
    },
    async count(request, context) {
      context.signal.throwIfAborted();
      const model = book.choose(request.model);
      if (model.row.endpoints.count === null) throw unsupported('model', `${config.id} counts no tokens.`);
      return countOverWire(wireOf(request, model), { provider: config.id, model, ask: askAs(model, context) });
    },
    async tokens(request, context) {
      context.signal.throwIfAborted();
      const model = book.choose(request.model);
      const wire = request.input.type === 'chat' && model.row.endpoints.tokens !== null ? wireOf(request, model) : null;
      return tokensOverWire(request, wire, { provider: config.id, model, ask: askAs(model, context) });
    },
    async models(signal) {
      const configured = book.configured();
      if (configured) return configured;
      return book.listed(
        await client.json({ method: 'get', path: '/models', isConfigured: true, signal, comesWhole: false }),
      );
    },
    nameOf: book.nameOf,
    capabilities: book.capabilities,
    ...(service.endpoints.responses && {
      askKept: (request, context) => askKept(request, { client, provider: config.id, context }),
    }),
    relays: (original, model) => book.mayHave(model) && relays(original, book.choose(model).row),
    ...((config.batch === 'on' || (config.batch === 'auto' && service.endpoints.batches)) && { batches }),
    status() {
      if (!config.enabled) return { state: 'unavailable', reason: 'It is switched off in the configuration.' };
      if (service.needsKey && config.apiKey === null) return { state: 'unavailable', reason: 'It has no key.' };
      return { state: 'ready', reason: null };
    },
    async probe(signal) {
      const list = await client.json({ method: 'get', path: '/models', isConfigured: true, signal, comesWhole: false });
      if (typeof list !== 'object' || list === null) throw broken(config.id, 'no list of models');
    },
  };
}

/** What another Hearth says that it did not honour. */
function ignoredBy({ headers }: ClientAnswer, provider: string): Warning[] {
  const ignored = headers['x-hearth-ignored'];
  return ignored === undefined ? [] : [{ field: null, message: `${provider} did not honour ${ignored}.` }];
}

function decoded(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

function encoded(body: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}
