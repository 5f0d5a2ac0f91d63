import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { planLoad } from '../../src/engine/memory/plan.ts';
import { repackRulesOf } from '../../src/engine/memory/repack.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createCatalog } from '../../src/store/catalog/catalog.ts';
import { openMadeModels } from '../../src/store/made-models/made-models.ts';
import { createStore } from '../../src/store/model-store.ts';

/**
 * A process that pulls one model and may be killed at any moment: `pull-child.ts ENDPOINT FOLDER NAME PIECE_BYTES`.
 * Takes up what an earlier one left. Prints the pull's last record as JSON.
 */
const [endpoint = '', root = '', name = '', pieceBytes = ''] = process.argv.slice(2);
const folder = join(root, 'models');
const log = createLogger('silent');
const made = openMadeModels(join(root, 'made-models.json'), log);
const catalog = createCatalog({ folders: [folder], builtinFile: null, aliases: {}, defaultModel: null, made, log });
const machine = { repackRules: repackRulesOf(null, 'x64'), threads: 2, gpu: null, correctionBytes: () => 0 };
const store = createStore({
  settings: {
    endpoint,
    token: null,
    proxy: null,
    hosts: ['localhost'],
    allowPrivate: true,
    bytesPerSecond: null,
    hours: null,
    reserveBytes: 0,
    importFolders: [],
  },
  folder,
  dataFolder: root,
  builtinFile: null,
  configuredNames: [],
  catalog,
  made,
  pullCatalog: { models: [], find: () => null },
  unload: async () => {},
  plan: (facts) => planLoad({ facts, wish: {}, budget: { availableBytes: 4e9, totalBytes: 4e9 }, ...machine }),
  totalBytes: () => 4e9,
  advise: () => null,
  clock: systemClock,
  log,
  bus: { publish: () => {} },
  version: '0',
  pieceBytes: Number(pieceBytes),
});
// The clock's timers do not keep a process alive.
const alive = setInterval(() => {}, 60_000);
const never = new AbortController().signal;
await store.restore();
const { id } = await store.pull({ name }, never);
let last = store.getPull(id);
for await (const pull of store.watchPull(id, never)) last = pull;
await store.close();
clearInterval(alive);
process.stdout.write(JSON.stringify(last));
