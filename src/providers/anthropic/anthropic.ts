import type { ProviderConfig } from '../../config/providers.ts';
import type { CallContext } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { ProviderEvent } from '../../core/events.ts';
import type { Provider } from '../../core/provider.ts';
import type { ProviderBatches } from '../../core/provider-batch.ts';
import type { Logger } from '../../observe/logger.ts';
import { answerEvents } from '../../wire/answer-events.ts';
import { isObject, type JsonObject, listAt, numberAt, textAt } from '../messages/json.ts';
import { openReading, type Reading } from './answer.ts';
import { createMessageBatches, openedAnswer } from './batches.ts';
import { apiUrl } from './client.ts';
import { capabilitiesOf, createModelCatalog, type FoundModel } from './models.ts';
import { relayOf } from './relay.ts';
import { createApiSession, type Outgoing } from './session.ts';
import { toCountBody, toWire, type WireRequest } from './to-wire.ts';

const messagesPath = '/v1/messages';
const countPath = '/v1/messages/count_tokens';
const modelsPath = '/v1/models';

/** A list of models has at most so many pages of a thousand. */
const maxPages = 10;

/**
 * The API of Anthropic, or anything that speaks it: another Hearth too. Requests in the API's own words pass as they came;
 * all others are translated. Asked in the words of the official SDK, which is loaded at the first request.
 */
export function createAnthropicProvider(deps: {
  config: ProviderConfig;
  clock: Clock;
  log: Logger;
  /** Id of this process. */
  instance?: string;
}): Provider {
  const { config, clock } = deps;
  const { id } = config;
  const session = createApiSession(deps);
  const catalog = createModelCatalog(config);

  const find = (model: string): FoundModel => {
    const found = catalog.find(model);
    if (found !== null) return found;
    throw new AppError('model_not_found', `${id} has no model "${model}".`, { field: 'model' });
  };
  const translate = (request: ChatRequest, model: FoundModel): WireRequest =>
    toWire(request, { providerId: id, model: model.id, row: model.row, version: config.apiVersion });
  const none = (what: string) => async (): Promise<never> => {
    throw new AppError('not_supported', `Models of ${id} make no ${what}.`, { field: 'model' });
  };

  /** A request as it goes out, and how its answer is read. */
  const plan = (request: ChatRequest) => {
    const model = find(request.model);
    const relayed = relayOf(request, { path: messagesPath, model: model.id, version: config.apiVersion });
    if (relayed === null && request.onlyRelayed) {
      throw new AppError('not_supported', `${id} cannot be asked for this in these words.`);
    }
    const wire = relayed === null ? translate(request, model) : null;
    const outgoing: Outgoing =
      relayed === null
        ? translated(messagesPath, wire!, wire!.body)
        : { ...relayed, path: messagesPath, comesWhole: relayed.answer === 'whole' };
    const reading: Reading = {
      provider: id,
      clock,
      readJson: session.readJson,
      warnings: wire?.warnings ?? [],
      toolName: wire?.names.fromWire ?? ((name) => name),
      way: relayed === null ? 'translated' : relayed.answer === 'joined' ? 'joined' : 'relayed',
    };
    return { model, outgoing, reading };
  };

  const stream = (request: ChatRequest, context: CallContext): AsyncIterableIterator<ProviderEvent> =>
    answerEvents({ clock, signal: context.signal }, async () => {
      const { outgoing, reading } = plan(request);
      const answer = await session.post(outgoing, context);
      try {
        return await openReading(answer, reading);
      } catch (error) {
        answer.watch.close();
        throw error;
      }
    });

  const batches: ProviderBatches = {
    ...createMessageBatches({ provider: id, session, clock }),
    word(request, { hops = [] }) {
      const { outgoing } = plan(request);
      const { stream: isStream, ...body } = outgoing.body;
      const content =
        typeof outgoing.content === 'string' ? outgoing.content : new TextDecoder().decode(outgoing.content);
      const { headers } = outgoing;
      return {
        group: JSON.stringify([messagesPath, headers, hops]),
        path: messagesPath,
        headers,
        hops,
        body: isStream === undefined ? content : JSON.stringify(body),
      };
    },
    read(request, answer, { signal }) {
      const { reading } = plan(request);
      const opened = openedAnswer(answer, { provider: id, clock, signal });
      return answerEvents({ clock, signal }, () => openReading(opened, reading));
    },
  };

  /** One whole answer of JSON. */
  const ask = async (outgoing: Outgoing, context: CallContext): Promise<JsonObject> => {
    const answer = await session.post(outgoing, context);
    try {
      return (await session.readJson(answer)).json;
    } finally {
      answer.watch.close();
    }
  };

  return {
    id,
    baseUrl: config.baseUrl ?? apiUrl,
    // A refusal comes before the first content as a rule; an overload may come as the first event.
    commitsAt: 'content',
    stream,
    embed: none('vectors'),
    rank: none('scores'),
    decide: none('decisions: they tell no log probabilities, from which those are read'),
    tokens: none('tokens that are told'),
    async count(request, context) {
      context.signal.throwIfAborted();
      const model = find(request.model);
      const relayed = relayOf(request, { path: countPath, model: model.id, version: config.apiVersion });
      const wire = relayed === null ? translate(request, model) : null;
      const outgoing =
        relayed === null
          ? translated(countPath, wire!, toCountBody(wire!.body))
          : { ...relayed, path: countPath, comesWhole: false };
      const counted = await ask({ ...outgoing, comesWhole: false }, context).catch((error: unknown) => {
        throw isMissing(error) ? new AppError('not_supported', `${id} counts no tokens.`, { cause: error }) : error;
      });
      const promptTokens = numberAt(counted, 'input_tokens');
      if (promptTokens === null) throw new AppError('not_supported', `${id} counts no tokens.`);
      return { model: model.id, promptTokens, ...(relayed !== null && { answer: counted }) };
    },
    async models(signal) {
      if (catalog.isOpen) {
        let after: string | null = null;
        for (let page = 0; page < maxPages; page++) {
          const list: JsonObject = await session.get(
            modelsPath,
            { limit: '1000', ...(after !== null && { after_id: after }) },
            signal,
          );
          catalog.learn(listAt(list, 'data').filter(isObject));
          after = list['has_more'] === true ? textAt(list, 'last_id') : null;
          if (after === null) break;
        }
      }
      return catalog.known();
    },
    nameOf: (model) => catalog.find(model)?.id ?? null,
    capabilities(model) {
      const found = catalog.find(model);
      return found && capabilitiesOf(found.row);
    },
    relays: ({ dialect, path }, model) =>
      dialect === 'anthropic' && (path === messagesPath || path === countPath) && catalog.find(model) !== null,
    ...(config.batch !== 'off' && { batches }),
    async probe(signal) {
      await session.get(modelsPath, { limit: '1' }, signal);
    },
    status() {
      if (!config.enabled) return { state: 'unavailable', reason: 'It is switched off in the configuration.' };
      const hasKey = config.apiKey !== null || 'x-api-key' in config.headers || 'authorization' in config.headers;
      // Another server than the API itself may want none.
      if (!hasKey && config.baseUrl === null) return { state: 'unavailable', reason: 'It has no API key.' };
      return { state: 'ready', reason: null };
    },
  };
}

function translated(path: string, { version }: WireRequest, body: JsonObject): Outgoing {
  const comesWhole = path === messagesPath && body['stream'] !== true;
  return { path, content: JSON.stringify(body), body, headers: { 'anthropic-version': version }, comesWhole };
}

/** Whether the path itself is not there: gateways that speak the API often have `/v1/messages` alone. */
function isMissing(error: unknown): boolean {
  return error instanceof AppError && error.details?.['upstream_status'] === 404 && error.upstream === null;
}
