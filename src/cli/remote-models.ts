import { z } from 'zod';
import { type ChatClient, chatPath, liveRequests, readPieces, toChatBody, waitingIn } from './chat/chat.ts';
import {
  copyPath,
  foundModels,
  loadedModel,
  type ModelClient,
  modelHeader,
  modelPath,
  modelRecord,
  modelRecords,
  searchPath,
  showPath,
  suggestedViews,
  unloadedModel,
} from './model-api.ts';
import type { Transport } from './transport.ts';

/** Models of a server, and talks with them. */
export function remoteModels(transport: Transport): ModelClient & ChatClient {
  const { ask, askPatiently, lines, send } = transport;
  return {
    modelRecords: () => ask('GET', '/models', modelRecords),
    suggestions: () => ask('GET', '/catalog/suggestions', suggestedViews),
    modelRecord: (name) => ask('GET', modelPath(name), modelRecord),
    modelHeader: (name) => ask('POST', showPath, modelHeader, { model: name }),
    load: (name, wish, signal) => askPatiently(modelPath(name, '/load'), loadedModel, wish, signal),
    unload: async (name, signal) => (await askPatiently(modelPath(name, '/unload'), unloadedModel, {}, signal)).model,
    // Without a message the model is loaded and nothing else.
    prepare: async (name, signal) => void (await askPatiently(chatPath, z.object({}), { model: name }, signal)),
    copy: async (source, destination) => void (await send('POST', copyPath, { source, destination })),
    search: (query, limit) => ask('GET', searchPath(query, limit), foundModels),
    async chat(wish, requestId, signal) {
      const marks = { 'x-request-id': requestId, ...(wish.cloud !== null && { 'x-cloud': wish.cloud }) };
      const answer = await lines(chatPath, toChatBody(wish), marks, signal);
      const { headers } = answer;
      return {
        provider: headers['x-provider-used'] ?? 'local',
        model: decodeURIComponent(headers['x-model-used'] ?? wish.model),
        leftOutMessages: Number(headers['x-hearth-truncated'] ?? 0),
        ignored: (headers['x-hearth-ignored'] ?? '').split(/,\s*/).filter((name) => name !== ''),
        pieces: piecesOf(answer.lines),
      };
    },
    waiting: async (requestId) => waitingIn(await ask('GET', '/requests', liveRequests), requestId),
  };
}

async function* piecesOf(lines: AsyncIterable<string>) {
  for await (const line of lines) if (line !== '') yield* readPieces(line);
}
