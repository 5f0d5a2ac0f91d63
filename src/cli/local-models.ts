import type { SayCommand } from '../core/say-command.ts';
import type { ChatClient } from './chat/chat.ts';
import {
  copyPath,
  foundModels,
  type ModelClient,
  modelHeader,
  modelPath,
  modelRecord,
  modelRecords,
  searchPath,
  showPath,
  suggestedViews,
} from './model-api.ts';
import { needsServerAt } from './needs-server.ts';

/** Asks a server that is built for one question. */
export type AskOnce = (method: 'GET' | 'POST' | 'DELETE', url: string, body?: object) => Promise<unknown>;

/** Models of this machine where no server runs: their files can be looked at, what has to stay loaded needs a server. */
export function localModels(
  askOnce: AskOnce,
  address: string | null,
  sayCommand: SayCommand,
): ModelClient & ChatClient {
  const needsServer = needsServerAt(address, sayCommand);
  return {
    modelRecords: async () => modelRecords.parse(await askOnce('GET', '/models')),
    suggestions: async () => suggestedViews.parse(await askOnce('GET', '/catalog/suggestions')),
    modelRecord: async (name) => modelRecord.parse(await askOnce('GET', modelPath(name))),
    modelHeader: async (name) => modelHeader.parse(await askOnce('POST', showPath, { model: name })),
    load: needsServer,
    unload: needsServer,
    prepare: needsServer,
    copy: async (source, destination) => void (await askOnce('POST', copyPath, { source, destination })),
    search: async (query, limit) => foundModels.parse(await askOnce('GET', searchPath(query, limit))),
    chat: needsServer,
    waiting: needsServer,
  };
}
