import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createLocalProvider } from '../../src/providers/local/local.ts';
import { runProviderContract } from '../contracts/provider.contract.ts';
import { builtInModel } from '../support/models.ts';
import { cleanEnvironment } from '../support/server.ts';

runProviderContract('models of this machine, with the built-in one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-contract-'));
  const config = loadConfig({ flags: { data: folder, port: '0' }, env: {}, cwd: folder });
  const app = await createApp({ config, log: createLogger('silent'), env: cleanEnvironment() });
  return {
    provider: createLocalProvider({ engine: app.engine }),
    model: builtInModel,
    running: async () => (await app.engine.getModel(builtInModel)).loaded?.activeRequests ?? 0,
    async close() {
      await app.shutdown();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
