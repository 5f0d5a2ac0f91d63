import type { SayCommand } from '../core/say-command.ts';
import { needsServerAt } from './needs-server.ts';
import { alertsPath, costAlerts, type OperationsClient, privacyDays, privacyPath } from './operations-api.ts';

/**
 * What can be told of the folders alone. `askOnce`: the answer of a server that is built and never listens; `address`: where none
 * answered.
 */
export function localOperations(
  askOnce: (method: 'GET', url: string) => Promise<unknown>,
  address: string | null,
  sayCommand: SayCommand,
): OperationsClient {
  const needsServer = needsServerAt(address, sayCommand);
  return {
    address: null,
    health: needsServer,
    configStatus: needsServer,
    logs: needsServer,
    followLogs: () => ({ [Symbol.asyncIterator]: () => ({ next: needsServer }) }),
    liveStates: () => ({ [Symbol.asyncIterator]: () => ({ next: needsServer }) }),
    requestStatus: needsServer,
    runningRequests: needsServer,
    readyModel: needsServer,
    timeAnswer: needsServer,
    metricsText: needsServer,
    privacy: async (days) => privacyDays.parse(await askOnce('GET', privacyPath(days))),
    costAlerts: async () => costAlerts.parse(await askOnce('GET', alertsPath)),
  };
}
